#!/bin/sh
# SPDX-License-Identifier: MIT
#
# QEMU's SRAT gives all memory that comes as a device to the last node. A `pc-dimm,node=0` has no entry of
# its own, and an NVDIMM of node 0 is described twice: as non-volatile in node 0, and again as part of a
# hot-pluggable range, which covers everything up to the end of the memory slots, in the last node.
#
# So the entries overlap, and whether a lookup takes the first or the last one that matches decides
# to which node the NVDIMM belongs. For the DIMM only the register of its slot, which the AML reads (_PXM),
# has the right node; in the memory map of the firmware neither of the two appears at all.
#
# Seen with qemu-system-x86 1:7.2+dfsg-7+deb12u18+b3 (Debian 12); 10.0.13 has the same entries.
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
closure qemu-system-x86=1:7.2+dfsg-7+deb12u18+b3

# Two nodes of 128 MiB and a device of 128 MiB in one of them: the ranges of the table above 4 GiB, in its order,
# and the node that the register of slot 0 has, if a DIMM is in it.
cat >ranges.py <<'P'
import struct, subprocess, sys
share, device, node = sys.argv[1:]
back = "memory-backend-ram,size=128M,id="
qemu = subprocess.Popen(["qemu-system-x86_64", "-L", share + "/qemu", "-L", share + "/seabios", "-M",
                         "q35,nvdimm=on", "-m", "256M,slots=2,maxmem=2G", "-object", back + "a", "-object", back + "b",
                         "-numa", "node,memdev=a", "-numa", "node,memdev=b", "-object", back + "c",
                         "-device", f"{device},memdev=c,node={node}", "-display", "none", "-nodefaults", "-S",
                         "-qtest", "stdio", "-accel", "tcg"],
                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                        text=True)

def ask(word):
    qemu.stdin.write(word + "\n")
    qemu.stdin.flush()
    while True:
        answer = qemu.stdout.readline()
        if not answer or answer.startswith("OK"):
            return answer.split()[1:]

def fetch(length, key=None):
    """The next bytes of the selected fw_cfg item, by its DMA interface."""
    if key is not None:
        ask(f"outw 0x510 {key:#x}")
    ask(f"write 0x1000 16 0x{struct.pack('>IIQ', 2, length, 0x100000).hex()}")
    ask("outl 0x514 0x0")
    ask("outl 0x518 0x00100000")
    return bytes.fromhex(ask(f"read 0x100000 {length:#x}")[0][2:])

def item(name):
    count, = struct.unpack(">I", fetch(4, 0x19))
    for _ in range(count):
        length, key, _, found = struct.unpack(">IHH56s", fetch(64))
        if found.rstrip(b"\0") == name:
            return fetch(length, key)

tables = item(b"etc/acpi/tables")
at = tables.index(b"SRAT")
end, at = at + struct.unpack_from("<I", tables, at + 4)[0], at + 48
while at < end:
    kind, length, node = struct.unpack_from("<BBI", tables, at)
    base, size = struct.unpack_from("<QQ", tables, at + 8)
    flags, = struct.unpack_from("<I", tables, at + 28)
    if kind == 1 and base >> 32:
        what = "non-volatile" if flags & 4 else "hot-pluggable" if flags & 2 else "plain"
        print(f"node {node} from {base:#x}, {size >> 20} MiB, {what}", end="; ")
    at += length
high = [base for base, size, kind in struct.iter_unpack("<QQI", item(b"etc/e820")) if base >> 32 and kind != 2]
print(f"{len(high)} in the map", end="")
ask("outl 0xa00 0x0")
if int(ask("inb 0xa14")[0], 16) & 1:
    print("; register: node", int(ask("inl 0xa10")[0], 16), end="")
print()
qemu.kill()
P
ranges() { unpacked /usr/bin/python3 ranges.py "$root/usr/share" "$@"; }
window="node 1 from 0x100000000, 3840 MiB, hot-pluggable; 0 in the map"
expect "a DIMM in node 0" "$(ranges pc-dimm 0)" "$window; register: node 0"
expect "a DIMM in node 1" "$(ranges pc-dimm 1)" "$window; register: node 1"
expect "an NVDIMM in node 0" "$(ranges nvdimm 0)" "node 0 from 0x100000000, 128 MiB, non-volatile; $window"
