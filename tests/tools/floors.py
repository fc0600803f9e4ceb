#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Nothing calls upward: floors.py [BUILD] reads the sources' includes and the objects' symbols.

The floors, from the ground up, are FLOORS. A file may include, and an object may refer to, what lies
on its own floor or below. Included is what a line says; referred to is what the linker would look
for, so that a prototype written by hand hides nothing. ALLOWED are the few symbols that a lower
floor takes from a higher one, each with its reason; one that is not needed any more is a fault too.
A folder's face is one header (bad_headers). What drives a device names pages, and gets bus addresses
(bad_addresses). Prints a line per fault; status 1 if there is one.
"""

import os
import re
import subprocess
import sys
from typing import Dict, Iterator, List, Tuple

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
FLOORS = ("boot", "kernel", "mm", "drivers", "dax", "drivers/clients", "tests")
# The C library's heap: kernel/ allocates by its names (ISO C), and what is behind them is memory.
HEAP = "the C library's name, by which every floor allocates; mm/ can make it fail for a test"
ALLOWED = {
    ("boot", "kernel_main"): "the way up: boot/ hands the machine over and is gone",
    ("kernel", "malloc"): HEAP,
    ("kernel", "calloc"): HEAP,
    ("kernel", "free"): HEAP,
    ("kernel", "sbrk"): "the C library's name for more heap; a self-test asks how far it is",
}
# A folder has one public header, whatever its name, and at most one internal.h.
INTERNAL = "internal.h"
MORE_HEADERS = {
    "boot/layout.h": "addresses alone, for headers that host tests read too",
    "dax/ext4/disk.h": "the format on the device, which is nobody's interface",
    "tests/explore/scenarios/unit.h": "an IOMMU in memory, which few scenarios and the self-tests of it need",
    "tests/explore/scenarios/engine.h": "for the explorer's tests of itself, and not for other scenarios",
    "tests/explore/machine.h": "what a home gives the explorer, which is nothing for scenarios",
    "tests/explore/plain.h": "a part of internal.h, which would be too long with it",
    "tests/explore/moment.h": "another part of it",
    "tests/explore/clocks.h": "another part of it",
    "tests/explore/search.h": "another part of it",
    "tests/explore/told.h": "another part of it",
    "tests/explore/owed.h": "between the two files of DPOR alone; internal.h would be too long with it",
    "tests/explore/noted.h": "between who notes what is touched and who asks; internal.h would be too long with it",
    "tests/explore/json.h": "bytes in JSON, for a host test, which has nothing else of the explorer",
    "tests/kernel/lib": "a header for each fixture: a test includes those that it uses",
}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)
# Who drives a device, or has one driven: they deal in pages and in what dma_map() gives.
DEVICES = ("drivers/edu/", "drivers/block/", "drivers/clients/", "dax/")
PHYSICAL = re.compile(r"\bvirt_to_phys\b|\bpage_to_phys\b|\bframe_alloc\w*|\bframe_free\b|\bbar\[\w+\]\.phys\b"
                      r"|(?:\.|->)phys\s*=[^=]|\buint64_t phys\b")
# What drives a device computes no address of a page by itself, for the CPU or the device.
DRIVES = DEVICES[:3]
COMPUTED = re.compile(r"\bphys_to_virt\b|\bDIRECT_BASE\b|\bkaddr\b|\bregion->start\b|<<\s*(?:PAGE_SHIFT|12)\b"
                      r"|pfn\w*\b[^;]*\*\s*(?:PAGE_SIZE|4096|0x1000)\b|\bPAGE_SIZE\s*\*[^;]*pfn")
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
PROGRAMS = ("boot/efi/", "boot/host/", "tests/host/", "tests/peer/")  # not linked into the kernel


def floor_of(path: str) -> int:
    """The number of the floor that `path` lies on; -1: on none."""
    fits = [floor for floor in FLOORS if path.startswith(floor + "/")]
    return FLOORS.index(max(fits, key=len)) if fits else -1


def sources(root: str) -> Iterator[str]:
    """C files and headers of the kernel, from its root."""
    for top in sorted({floor.split("/")[0] for floor in FLOORS}):
        for folder, _, names in os.walk(os.path.join(root, top)):
            for name in sorted(names):
                path = os.path.relpath(os.path.join(folder, name), root)
                if name.endswith((".c", ".h", ".asm")) and not path.startswith(PROGRAMS):
                    yield path


def bad_includes(root: str) -> List[str]:
    """Lines that include what lies on a higher floor."""
    found = []
    for path in sources(root):
        with open(os.path.join(root, path), encoding="utf-8") as stream:
            text = stream.read()
        found += [f"{path} includes {name}, which lies higher" for name in INCLUDE.findall(text)
                  if floor_of(name) > floor_of(path)]
    return found


def bad_headers(root: str) -> List[str]:
    """Folders with a second public header, and internal headers that are read from another floor."""
    public: Dict[str, str] = {}
    found = []
    for path in sources(root):
        folder, name = os.path.split(path)
        if name.endswith(".h") and name != INTERNAL and not {path, folder} & set(MORE_HEADERS):
            if folder in public:
                found.append(f"{path} is a second public header beside {public[folder]}")
            public.setdefault(folder, path)
        with open(os.path.join(root, path), encoding="utf-8") as stream:
            text = stream.read()
        found += [f"{path} includes {inner}, which is internal to another floor"
                  for inner in INCLUDE.findall(text) if os.path.basename(inner) == INTERNAL
                  and floor_of(inner) != floor_of(path) and not path.startswith("tests/")]
    return found


def symbols(build: str, root: str = "") -> Tuple[Dict[str, str], List[Tuple[str, str]]]:
    """{symbol: the file that defines it}, [(file, symbol that it wants)], from all objects; with
    `root`, not from those that a file which is gone from there has left in the build folder."""
    objects, defined, wanted = os.path.join(build, "obj"), {}, []
    files = [os.path.join(folder, name) for folder, _, names in os.walk(objects)
             for name in names if name.endswith(".o")]
    files = [f for f in sorted(files) if not os.path.relpath(f, objects).startswith(PROGRAMS)]
    out = subprocess.run(["nm", "-A", "-P", *files], check=True, text=True,
                         stdout=subprocess.PIPE).stdout if files else ""
    for file, symbol, kind in (line.split()[:3] for line in out.splitlines()):
        path = os.path.relpath(file[:-len(".o:")], objects)
        if root and not os.path.exists(os.path.join(root, path)):
            continue
        if kind == "U":
            wanted.append((path, symbol))
        elif kind.isupper():
            defined[symbol] = path
    return defined, wanted


def bad_symbols(build: str) -> List[str]:
    """References to what a higher floor defines, and allowances that nobody uses."""
    defined, wanted = symbols(build)
    if not wanted:
        return [f"{build}/obj holds no objects: 'make' first"]
    found, used = [], set()
    for path, symbol in wanted:
        if floor_of(defined.get(symbol, path)) <= floor_of(path):
            continue
        key = (FLOORS[floor_of(path)], symbol)
        used.add(key)
        if key not in ALLOWED:
            found.append(f"{path} refers to {symbol}, which {defined[symbol]} defines, higher up")
    return found + [f"floors.py allows {floor}/ the symbol {symbol}, which it does not use"
                    for floor, symbol in ALLOWED if (floor, symbol) not in used]


def bad_addresses(root: str) -> List[str]:
    """Lines of what drives devices, and of clients, that deal in physical addresses."""
    found = []
    for path in sources(root):
        if not path.startswith(DEVICES):
            continue
        with open(os.path.join(root, path), encoding="utf-8") as stream:
            text = COMMENT.sub(lambda m: "\n" * m.group().count("\n"), stream.read())
        for n, line in enumerate(text.split("\n"), 1):
            word = PHYSICAL.search(line) or (path.startswith(DRIVES) and COMPUTED.search(line))
            if word:
                found.append(f"{path}:{n} deals in physical addresses ({word.group()}): a device is "
                             "told what dma_map() gives")
    return found


def main() -> int:
    """Status 0: nothing calls upward."""
    build = sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "build")
    found = bad_includes(ROOT) + bad_headers(ROOT) + bad_addresses(ROOT) + bad_symbols(build)
    print("\n".join(found) or "floors: nothing calls upward", file=sys.stderr if found else sys.stdout)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
