# SPDX-License-Identifier: MIT
"""The line table of an ELF file: which source line each address belongs to.

Reads .debug_line itself, versions 2 to 5 (DWARF 5 standard, section 6.2): binutils print it without
the folder of a unit's own file, and four times as slowly as the link takes.
"""

import functools
import os
import struct


def sections(data):
    """{name: bytes} of a 64-bit little-endian ELF file."""
    table, = struct.unpack_from("<Q", data, 0x28)
    size, count, names = struct.unpack_from("<HHH", data, 0x3a)
    headers = [struct.unpack_from("<IIQQQQ", data, table + i * size) for i in range(count)]
    strings = headers[names][4]
    return {data[strings + h[0]:data.index(0, strings + h[0])].decode(): data[h[4]:h[4] + h[5]]
            for h in headers if h[1] != 8}


class Reader:
    def __init__(self, data, at=0):
        self.data, self.at = data, at

    def fixed(self, size):
        self.at += size
        return int.from_bytes(self.data[self.at - size:self.at], "little")

    def uleb(self):
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                return value

    def sleb(self):
        start = self.at
        value = self.uleb()
        bits = 7 * (self.at - start)
        return value - (1 << bits) if value >> (bits - 1) else value

    def string(self):
        end = self.data.index(0, self.at)
        text = self.data[self.at:end].decode()
        self.at = end + 1
        return text


@functools.lru_cache(maxsize=None)
def below(home, folder, name):
    """A file of this tree by its path below the folder that the compiler ran in; another one by its whole path."""
    path = os.path.join(home, folder, name)
    return os.path.relpath(path, home) if path.startswith(home + "/") else path


class Unit:
    """One unit's header: the names of its files, and where its program lies."""

    def __init__(self, elf, reader):
        self.elf, self.r = elf, reader
        length = reader.fixed(4)
        self.end = reader.at + length
        self.version = reader.fixed(2)
        if self.version >= 5:
            reader.fixed(2)  # sizes of an address and of a segment selector
        header = reader.fixed(4)
        self.program = reader.at + header
        self.min_insn = reader.fixed(1)
        if self.version >= 4:
            reader.fixed(1)  # operations per instruction
        reader.fixed(1)  # is_stmt
        self.line_base = reader.fixed(1)
        self.line_base -= 256 if self.line_base >= 128 else 0
        self.line_range, self.opcode_base = reader.fixed(1), reader.fixed(1)
        self.operands = [0] + [reader.fixed(1) for _ in range(self.opcode_base - 1)]
        self.files = self.names5() if self.version >= 5 else self.names2()

    def names2(self):
        folders, files = [""], [""]
        while name := self.r.string():
            folders.append(name)
        while name := self.r.string():
            folder = folders[self.r.uleb()]
            self.r.uleb(), self.r.uleb()
            files.append(os.path.normpath(os.path.join(folder, name)))
        return files

    def form(self, form):
        r = self.r
        if form == 0x08:
            return r.string()
        if form in (0x1f, 0x0e):  # line_strp, strp
            table = self.elf[".debug_line_str" if form == 0x1f else ".debug_str"]
            return Reader(table, r.fixed(4)).string()
        if form == 0x0f:
            return r.uleb()
        return r.fixed({0x0b: 1, 0x05: 2, 0x06: 4, 0x07: 8, 0x1e: 16}[form])

    def entries(self):
        kinds = [(self.r.uleb(), self.r.uleb()) for _ in range(self.r.fixed(1))]
        return [{kind: self.form(form) for kind, form in kinds} for _ in range(self.r.uleb())]

    def names5(self):
        folders = [entry[1] for entry in self.entries()]
        home = folders[0] if folders else ""
        names = []
        for entry in self.entries():
            names.append(below(home, folders[entry.get(2, 0)], entry[1]))
        return names

    def run(self):
        """[(address, file, line)], in the program's order; at the end of a sequence the file is None.

        A million bytes go through this loop with each link: so it reads them itself, and a Reader only what is rare."""
        data, at, end, files, base = self.r.data, self.program, self.end, self.files, self.opcode_base
        steps = [(op // self.line_range * self.min_insn, self.line_base + op % self.line_range) for op in range(256 - base)]
        address, file, line = 0, 1, 1
        found = []
        while at < end:
            op = data[at]
            at += 1
            if op >= base:
                ahead, down = steps[op - base]
                address += ahead
                line += down
                found.append((address, files[file], line))
            elif op == 1:
                found.append((address, files[file], line))
            elif op == 8:
                address += steps[255 - base][0]
            elif op in (2, 3, 4):
                rare = Reader(data, at)
                value = rare.sleb() if op == 3 else rare.uleb()
                at = rare.at
                if op == 2:
                    address += value * self.min_insn
                elif op == 3:
                    line += value
                else:
                    file = value
            elif op == 9:
                address += int.from_bytes(data[at:at + 2], "little")
                at += 2
            elif op == 0:
                rare = Reader(data, at)
                size = rare.uleb()
                if data[rare.at] == 2:
                    address = int.from_bytes(data[rare.at + 1:rare.at + 9], "little")
                elif data[rare.at] == 1:
                    found.append((address, None, 0))
                    address, file, line = 0, 1, 1
                at = rare.at + size
            else:
                for _ in range(self.operands[op]):
                    while data[at] >= 0x80:
                        at += 1
                    at += 1
        return found


def rows(path, lowest):
    """[(address, file, line)] from address `lowest` on, by address, one per address; and {address: (file,
    line)}, the first row of each.

    Of several rows at one address the last one counts: the earlier ones have no code. Where a function
    begins with code in line the first one is its own. What an end of a sequence leaves without a line
    has no row."""
    with open(path, "rb") as file:
        elf = sections(file.read())
    found, first = {}, {}
    reader = Reader(elf[".debug_line"])
    while reader.at < len(reader.data):
        unit = Unit(elf, reader)
        for address, file, line in unit.run():
            if address >= lowest and file is not None:
                found[address] = (file, line)
                first.setdefault(address, (file, line))
        reader.at = unit.end
    return [(address, *found[address]) for address in sorted(found)], first
