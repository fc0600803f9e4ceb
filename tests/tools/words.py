#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""One word for one thing: what docs/glossary.md says about names is held against the sources.

Prints a line per fault: file, line, what stands there, and what should. Status 1 if there is one.
"""

import os
import re
import sys
from typing import Dict, Iterator, List, Set, Tuple

from csource import COMMENT, FLOORS, c_files, functions, read

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


# Words of the glossary, and the functions whose names may have them as a part.
RESERVED = {
    "at_rest": {"at_rest"},
    "claim": {"claim_ranges", "unclaim_ranges", "pci_claim"},
    "release": {"release", "release_all", "page_release_busy", "busy_block_released"},
    "released": {"released", "busy_block_released"},
    "run_length": set(),
}
# Names of two words and more that stand in two folders, each with the reason.
SAME = "the same of another kind of thing, and the file says of which"
LAYERS = "one step of the layer below, by the name of the operation that it serves"
SAME_NAME = {
    "before_held": SAME, "by_name": SAME, "bytes_of": SAME, "check_place": SAME,
    "check_range": SAME, "check_records": SAME, "class_of": SAME, "cmd_kill": SAME,
    "end_of": SAME, "fault_locked": SAME, "find_rsdp": SAME, "flags_of": SAME,
    "for_each_record": SAME, "give_back": SAME, "give_up": SAME, "in_use": SAME, "kind_of": SAME,
    "look_at": SAME, "make_tables": SAME, "pages_of": SAME,
    "prepare_record": SAME, "print_file": SAME, "print_line": SAME, "refuse_held": SAME,
    "remove_name": SAME, "run_stages": SAME, "type_name": SAME,
    "wait_for": SAME, "new_table": SAME, "room_for": SAME, "table_bytes": SAME,
    "idle_run": LAYERS, "may_take": LAYERS, "set_size": LAYERS,
}


def two_meanings(texts: Dict[str, str]) -> List[str]:
    """Reserved words in other functions' names; names of two words that two folders have."""
    found: List[str] = []
    places: Dict[str, Set[str]] = {}
    for path, text in texts.items():
        for f in functions(path, text):
            if f.name.startswith("__"):
                continue
            places.setdefault(f.name, set()).add(os.path.dirname(path))
            found += [f"{path}:{f.line}: {f.name}(): '{word}' has one meaning (docs/glossary.md), "
                      "and this is another" for word, names in RESERVED.items()
                      if re.search(rf"(?:^|_){word}(?:_|$)", f.name) and f.name not in names]
    twice = {name for name, folders in places.items() if len(folders) > 1 and "_" in name}
    found += [f"{name}() stands in {' and '.join(sorted(places[name]))}: one name, one meaning"
              for name in sorted(twice - set(SAME_NAME))]
    return found + [f"words.py allows {name}() in two folders, where it is not"
                    for name in sorted(set(SAME_NAME) - twice)]


def unwanted(glossary: str) -> List[Tuple[str, str, List[str]]]:
    """(word to use, word not to use, phrases in which it is right), from the glossary's table."""
    table = re.search(r"\| word \| not \| but \|\n\|[-|]+\|\n((?:\|.*\n)+)", glossary).group(1)
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines()]
    return [(use, word.strip(), [b.strip() for b in but.split(",") if b.strip()])
            for use, words, but in rows for word in words.split(",")]


def spoken(path: str, text: str) -> Iterator[Tuple[int, str]]:
    """(line, piece) of what the file says to people: a header's comments, a command's help."""
    if path.endswith(".h"):
        pieces = COMMENT.finditer(text) if not path.endswith("internal.h") else iter(())
    else:
        pieces = re.finditer(r"^(?:SHELL_COMMAND|MUSEUM)\w*\(.*?\);\n", text, re.M | re.S)
    for piece in pieces:
        line = text.count("\n", 0, piece.start()) + 1
        yield line, re.sub(r'"\s*\n\s*"|\\n', " ", piece.group(0))


def bad_words(texts: Dict[str, str], glossary: str) -> List[str]:
    """Words that the glossary has another word for."""
    found = []
    for path, text in texts.items():
        for line, piece in spoken(path, text):
            plain = re.sub(r"\s+(?:\*\s+)?", " ", piece)
            for use, word, but in unwanted(glossary):
                rest = plain
                for phrase in but:
                    rest = rest.replace(phrase, "")
                if re.search(rf"\b{re.escape(word)}(?:s|es)?\b", rest):
                    found.append(f"{path}:{line}: '{word}': the word is '{use}' (docs/glossary.md)")
    return found


# "Is it on DAX?" without saying which kind, or of a VMA: Linux had that question, and it was the
# wrong one (mm/space/space.h).
PREDICATE = re.compile(r"\b(?!\w*vma_is_dax\b)(?:\w+_)?is_dax\b", re.I)


def bad_predicates(texts: Dict[str, str]) -> List[str]:
    """Names of a third predicate beside IS_FSDAX and IS_DEVDAX."""
    found = []
    for path, text in texts.items():
        plain = COMMENT.sub(lambda c: "\n" * c.group().count("\n"), text)
        found += [f"{path}:{plain.count(chr(10), 0, m.start()) + 1}: {m[0]} does not say which kind: "
                  "IS_FSDAX, IS_DEVDAX or vma_is_dax" for m in PREDICATE.finditer(plain)]
    return found


# Parts of a self-test's name: words of small letters and digits, joined by hyphens.
PART = r"[a-z0-9]+(?:-[a-z0-9]+)*"
TEST_NAME = re.compile(rf"{PART}\.{PART}")
# Areas whose second part says of what: a design, a series, what fails.
DEEP = re.compile(rf"(?:lifetime|seed|fail)\.{PART}\.{PART}")


def bad_test_names(texts: Dict[str, str], lifetimes: Set[str]) -> List[str]:
    """Self-tests that are not called area.what-is-true, or as another one."""
    found, seen = [], {}
    for path, text in texts.items():
        for head in re.finditer(r'^(?:SELFTEST|FAIL_NTH)\(\s*\w+,\s*"([^"]*)"', text, re.M):
            name, line = head[1], text.count("\n", 0, head.start()) + 1
            deep = DEEP.fullmatch(name)
            if not (TEST_NAME.fullmatch(name) or deep):
                found.append(f"{path}:{line}: self-test '{name}' is not called area.what-is-true")
            elif deep and name.startswith("lifetime.") and name.split(".")[1] not in lifetimes:
                found.append(f"{path}:{line}: self-test '{name}' names no lifetime")
            elif name in seen:
                found.append(f"{path}:{line}: self-test '{name}' is also in {seen[name]}")
            seen[name] = path
    return found


def lifetime_names() -> Set[str]:
    """The designs, by their files."""
    return {os.path.basename(path)[:-2] for path in c_files("dax/lifetime") if path.endswith(".c")}


def tree(*tops: str) -> Dict[str, str]:
    """{path: text} of the C files below these folders, without the self-tests."""
    return {path: read(path) for path in c_files(*tops) if "/test_" not in path}


def main() -> int:
    """Status 0: names are what the glossary says."""
    kernel = tree(*FLOORS)
    glossary, every = read("docs/glossary.md"), {p: read(p) for p in c_files(*FLOORS, "tests/kernel")}
    found = (bad_ways(kernel) + missing_ways(kernel, glossary) + two_meanings(kernel) +
             bad_words(kernel, glossary) + bad_predicates(kernel) + bad_test_names(every, lifetime_names()))
    print("\n".join(found) or "words: one word for one thing",
          file=sys.stderr if found else sys.stdout)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
