# SPDX-License-Identifier: MIT
"""datasyms.py KERNEL.elf [START]: prints, as NASM source, the names of the kernel's variables for the
explorer (tests/explore/names.c): where each begins behind the symbol START (__data_start), its bytes, its
name.

They go to the end of ksyms.py's tables. These lie before the variables, so linking them in moves
the variables, all by the same: therefore distances and no addresses.
"""

import subprocess
import sys


def variables(elf, symbol):
    """[(address, bytes, name)] by address, and where the symbol is."""
    found, start = [], None
    for line in subprocess.run(["nm", "-n", "-S", "--defined-only", elf], check=True, text=True,
                               stdout=subprocess.PIPE).stdout.splitlines():
        words = line.split()
        if words[-1] == symbol:
            start = int(words[0], 16)
        if len(words) == 4 and words[2] in "dDbB":
            found.append((int(words[0], 16), int(words[1], 16), words[3]))
    return found, start


def main(elf, symbol="__data_start"):
    found, start = variables(elf, symbol)
    print("section ksym_files progbits alloc noexec nowrite align=1")
    print("global ksym_data, ksym_data_end\nksym_data:")
    names = b""
    for address, size, name in found:
        if start <= address < start + (1 << 31):
            print(f"\tdd {address - start}, {size}, {len(names)}")
            names += name.encode() + b"\0"
    print("ksym_data_end:")
    for i in range(0, len(names), 32):
        print("\tdb " + ",".join(str(byte) for byte in names[i:i + 32]))


if __name__ == "__main__":
    main(*sys.argv[1:])
