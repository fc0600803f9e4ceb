#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""One word for one thing: what docs/glossary.md says about names is held against the sources.

Prints a line per fault: file, line, what stands there, and what should. Status 1 if there is one.
"""

import re
import sys
from typing import Dict, List

from csource import FLOORS, c_files, functions, read

# A record's address is made by X_to_Y() alone. The others that need a cast, each with its reason.
MAKES_RECORD = re.compile(r"\(struct page \*\)\s*[\w(]|\bRECORD_BASE\s*[-+]|\bNAME_BASE\s*\+")
NO_WAYS = {
    "page_record_next": "walks the records in order of their own addresses",
    "records_for_each": "walks the records in order of their own addresses",
    "kind_of": "takes the sum of pte_kind_to_page() apart, out of its loop",
    "check_waiter": "what a thread waits for may be a record, and has its type back",
    "mark_within": "takes const off the end of its own range",
}
OLD_WAY = re.compile(r"^(?:page|pfn|pte|record)_of(?:_|$)|_of_(?:page|pfn|pte|record)$")


def bad_ways(texts: Dict[str, str]) -> List[str]:
    """Functions that lead from an address to a record, and are not named X_to_Y."""
    found = []
    for path, text in texts.items():
        for f in functions(path, text):
            if OLD_WAY.search(f.name):
                found.append(f"{path}:{f.line}: {f.name}() leads from one thing to another: "
                             "its name is X_to_Y")
            if MAKES_RECORD.search(f.body) and "_to_" not in f.name and f.name not in NO_WAYS:
                found.append(f"{path}:{f.line}: {f.name}() makes the address of a record: "
                             "use a way of docs/glossary.md")
    return found


def missing_ways(texts: Dict[str, str], glossary: str) -> List[str]:
    """X_to_page, X_to_record, and ways back, that the glossary does not list."""
    ways = re.compile(r"^(?:page|pte|pfn|pgmap_pfn|name|compound|entry|sector)\w*_to_\w+$")
    return [f"{path}:{f.line}: {f.name}() is no way of docs/glossary.md"
            for path, text in texts.items() for f in functions(path, text)
            if ways.match(f.name) and (path.endswith(".h") or not f.static)
            and f"`{f.name}()`" not in glossary]


def tree(*tops: str) -> Dict[str, str]:
    """{path: text} of the C files below these folders, without the self-tests."""
    return {path: read(path) for path in c_files(*tops) if "/test_" not in path}


def main() -> int:
    """Status 0: names are what the glossary says."""
    kernel = tree(*FLOORS)
    found = bad_ways(kernel) + missing_ways(kernel, read("docs/glossary.md"))
    print("\n".join(found) or "words: one word for one thing",
          file=sys.stderr if found else sys.stdout)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
