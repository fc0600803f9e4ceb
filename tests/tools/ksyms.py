# SPDX-License-Identifier: MIT
"""ksyms.py KERNEL.elf [BASE]: prints, as NASM source, the tables of kernel/trap/ksyms.c.

Every function of the kernel by address, and for the sources of this tree every line that begins
within it, packed: see kernel/trap/trap.h for the format. They lie behind everything that is not code
(sections "ksyms…" in linker.ld), so that linking them in moves no function. BASE: KERNEL_BASE of a
home that has another one.

The lines come from .debug_line. An address that belongs to code in line from another file (a
header's) counts to the line before it: the name beside it is that of the function around.
"""

import os
import re
import subprocess
import sys

import dwarf_lines

BASE = 0xffffffff80000000
BLOCK = 16  # functions in one block, as in kernel/trap/trap.h


def functions(elf, base):
    """[(address, name)] by address, without labels inside functions of assembly."""
    found, last = [], None
    for line in subprocess.run(["nm", "-n", "--defined-only", elf], check=True, text=True,
                               stdout=subprocess.PIPE).stdout.splitlines():
        address, kind, name = line.split()
        address = int(address, 16)
        # "function.label" is a label; what gcc splits off a function is code of its own.
        label = "." in name and not re.search(r"\.(part|isra|constprop|cold)", name)
        if kind in "tTwW" and address >= base and not name.startswith("__text_") \
                and address != last and not label:
            found.append((address, name))
            last = address
    return found


class Nibbles:
    """A stream of numbers of one nibble (below 12), two (below 60), or a 15 and three bits each."""

    def __init__(self):
        self.nibbles = []

    def put(self, n):
        if n < 12:
            self.nibbles.append(n)
        elif n < 60:
            self.nibbles += [12 + (n - 12) // 16, (n - 12) % 16]
        else:
            self.nibbles.append(15)
            n -= 60
            while n >= 8:
                self.nibbles.append(n & 7 | 8)
                n >>= 3
            self.nibbles.append(n)

    def put_signed(self, n):
        self.put(2 * n if n >= 0 else -2 * n - 1)

    def bytes(self):
        padded = self.nibbles + [0]
        return bytes(padded[i] | padded[i + 1] << 4 for i in range(0, len(padded) - 1, 2))


def own_rows(start, end, rows, first):
    """(file, [(address, line)]) of one function: the file that it begins in, and that file alone. `first`
    is its first row, (file, line), which is its own though code in line may begin at the same address."""
    if not rows or rows[0][0] != start or os.path.isabs(first[0]):
        return None, []
    name, kept = first[0], [(start, first[1])]
    for address, file, line in rows:
        if file == name and address < end and line and kept[-1][1] != line:
            if address == start:
                kept.pop()
            kept.append((address, line))
    return name, kept


class Tables:
    def __init__(self):
        self.blocks, self.names, self.lines, self.files = [], bytearray(), Nibbles(), []
        self.file, self.line = -1, 0

    def add(self, number, start, end, name, file, rows):
        if number % BLOCK == 0:
            self.blocks.append((start, len(self.names), len(self.lines.nibbles)))
            self.file, self.line = -1, 0
        self.names += min(end - start, 0xffff).to_bytes(2, "little") + name.encode() + b"\0"
        self.lines.put(len(rows))
        if rows:
            self.add_rows(start, file, rows)

    def add_rows(self, start, file, rows):
        if file not in self.files:
            self.files.append(file)
        which = self.files.index(file)
        self.lines.put(0 if which == self.file else which + 1)
        self.lines.put_signed(rows[0][1] - self.line)
        self.file, self.line, at = which, rows[0][1], start
        for address, line in rows[1:]:
            self.lines.put(address - at - 1)
            # Never zero, so that one is less by one.
            self.lines.put_signed(line - self.line - (line > self.line))
            at, self.line = address, line

    def print(self, base):
        print("section ksyms progbits alloc noexec nowrite align=8")
        for block in self.blocks:
            print("\tdd 0x%x, %d, %d" % (block[0] - base, block[1], block[2]))
        for section, data in (("ksym_names", bytes(self.names)),
                              ("ksym_lines", self.lines.bytes()),
                              ("ksym_files", "\0".join(self.files).encode() + b"\0")):
            print(f"section {section} progbits alloc noexec nowrite align=1")
            for i in range(0, len(data), 32):
                print("\tdb " + ",".join(str(byte) for byte in data[i:i + 32]))


def main(elf, base=BASE):
    found = functions(elf, base)
    rows, first_rows = dwarf_lines.rows(elf, base)
    last_rows = {address: (file, line) for address, file, line in rows}
    tables, at = Tables(), 0
    for number, (start, name) in enumerate(found):
        end = found[number + 1][0] if number + 1 < len(found) else start + 0xffff
        while at < len(rows) and rows[at][0] < start:
            at += 1
        first = at
        while at < len(rows) and rows[at][0] < end:
            at += 1
        # What gcc split off a function (".cold", ".part") begins anywhere in it.
        own = (first_rows if "." not in name else last_rows).get(start)
        tables.add(number, start, end, name, *own_rows(start, end, rows[first:at], own))
    print("; made by tests/tools/ksyms.py")
    tables.print(base)


if __name__ == "__main__":
    main(sys.argv[1], *(int(base, 0) for base in sys.argv[2:]))
