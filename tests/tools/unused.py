#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What nobody calls goes: unused.py [BUILD] reads the objects' symbols and the sources.

A function that other files may call is wanted by the object of another file, or by a host test that
names it; else it is static, or goes. An operation, a pointer to a function in a struct, is called
by somebody. KEPT are the exceptions, each with its reason; one that is not needed is a fault too.
Prints a line per fault; status 1 if there is one.
"""

import os
import re
import sys
from typing import Dict, List, Set

from csource import FLOORS, ROOT, c_files, read, without_comments
from floors import PROGRAMS, symbols

LIBC = "the C library looks for it by name"
DEBUG = "called in a debug build, or instead of it"
KEPT = {
    **dict.fromkeys(("_exit", "fstat", "isatty", "lseek"), LIBC),
    **dict.fromkeys(("mem_divert", "mem_fault", "mem_note", "mem_other_than", "lock_order_divert",
                     "lock_order_forget"), DEBUG),
    "nfit_line_offset": "the specification's sum, declared beside the two that are made of it",
    "cpu_ticks": "called by code that is linked into both homes, and in line elsewhere",
    "last_call": "a test looks for its symbol",
    "check_i2_records": "one of six; the other five have tests of their own",
    "acpi_power_off": "what it has to do with the tables stands at its declaration",
    "acpi_read_rsdp": "the decoder's entry, whose contract stands with the others'",
}
# Symbols that are not C functions of their file: generated, or made by macros for a list.
GENERATED = re.compile(r"museum_|__lock___|__retarget_lock_|step_point_")


def users(build: str) -> Dict[str, Set[str]]:
    """{symbol: files whose objects look for it}."""
    _, wanted = symbols(build, ROOT)
    found: Dict[str, Set[str]] = {}
    for path, symbol in wanted:
        found.setdefault(symbol, set()).add(path)
    return found


def unused_functions(build: str) -> List[str]:
    """Functions that no other file calls, though it may."""
    defined, _ = symbols(build, ROOT)
    wanted = users(build)
    text = "\n".join(read(path) for path in c_files("tests/host", "boot"))
    named, found, needed = set(re.findall(r"\b\w+\b", text)), [], set()
    for symbol, path in sorted(defined.items()):
        if not path.endswith(".c") or path.startswith(PROGRAMS + ("boot/",)) or \
                GENERATED.match(symbol) or symbol in named or wanted.get(symbol, set()) - {path} or \
                not re.search(rf"(?m)^(?!static)\w[^\n;]*\b{symbol}\([^;]*?\)\n\{{", without_comments(read(path))):
            continue
        needed.add(symbol)
        if symbol not in KEPT:
            found.append(f"{path}: nobody else calls {symbol}(): make it static, or take it away")
    return found + [f"unused.py keeps {symbol}, which is used" for symbol in sorted(set(KEPT) - needed)
                    if KEPT[symbol] is not DEBUG]


def unused_operations(texts: Dict[str, str]) -> List[str]:
    """Pointers to functions in structs, in headers, that nobody calls."""
    headers = {path: without_comments(text) for path, text in texts.items() if path.endswith(".h")}
    everything = "\n".join(without_comments(text) for text in texts.values())
    called = set(re.findall(r"(?:->|\.)\s*(\w+)\s*\(", everything))
    called |= set(re.findall(r"(?:=|return|\?|:|\()\s*[\w.>-]*(?:->|\.)(\w+)\s*(?=\s*[;:)?,])", everything))
    return [f"{path}:{text.count(chr(10), 0, m.start()) + 1}: nobody calls the operation {m[1]}"
            for path, text in headers.items()
            for m in re.finditer(r"^\t[^()\n;]*\(\*(\w+)\)\(", text, re.M) if m[1] not in called]


def main() -> int:
    """Status 0: everything has a user."""
    build = sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "build")
    texts = {path: read(path) for path in c_files(*FLOORS, "tests/kernel")}
    found = unused_functions(build) + unused_operations(texts)
    print("\n".join(found) or "unused: everything has a user",
          file=sys.stderr if found else sys.stdout)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
