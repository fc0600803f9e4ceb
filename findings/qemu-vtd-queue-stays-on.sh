#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The invalidation queue of QEMU's VT-d unit, once on, goes off only behind a wait descriptor. One that is
# empty and was never used cannot be turned off at all.
#
# The driver writes GCMD without the bit and polls GSTS, as for its other bits, and polls for ever: with no
# descriptor, with an invalidation as the last one though the queue is empty, and with one that the unit
# refused, until a wait stands in its place and has run. Behind an invalidation and a wait it goes off at
# once. So a driver that turns its queue off (a way back after an error, a test, a system that hands on)
# ends with a wait first.
#
# The CPU is parked; registers and memory are reached by QEMU's qtest protocol.
#
# Seen with qemu-system-x86 1:7.2+dfsg-7+deb12u18+b3 (Debian 12).
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
closure qemu-system-x86=1:7.2+dfsg-7+deb12u18+b3

cat >ask.py <<'P'
import os, socket, subprocess, sys

VTD, QUEUE, STATUS = 0xfed90000, 0x400000, 0x500000
GCMD, GSTS, HEAD, TAIL, ADDRESS, ON = VTD + 0x18, VTD + 0x1c, VTD + 0x80, VTD + 0x88, VTD + 0x90, 1 << 26
DESCRIPTORS = {"contexts": (1 | 1 << 4, 0), "iotlb": (2 | 1 << 4, 0), "wait": (5 | 1 << 5 | 1 << 32, STATUS),
               "unknown": (15, 0)}
with open("park.bin", "wb") as bios:  # the CPU halts at once; all accesses come from outside
    bios.write(bytes(0xfff0) + b"\xf4\xeb\xfd" + bytes(13))
listen = socket.socket(socket.AF_UNIX)
listen.bind("qtest")
listen.listen()
qemu = subprocess.Popen(
    ["qemu-system-x86_64", "-L", sys.argv[1], "-M", "q35", "-m", "256M", "-accel", "tcg", "-vga", "none",
     "-display", "none", "-nic", "none", "-serial", "none", "-monitor", "none", "-bios", "park.bin",
     "-qtest", "unix:qtest", "-device", "intel-iommu"], stderr=subprocess.DEVNULL)
line = listen.accept()[0].makefile("rw")


def say(*words):
    line.write(" ".join(w if isinstance(w, str) else hex(w) for w in words) + "\n")
    line.flush()
    while not (answer := line.readline()).startswith("OK"):
        assert answer, words
    return int(answer.split()[1], 16) if len(answer.split()) > 1 else 0


say("writeq", TAIL, 0)
say("writeq", ADDRESS, QUEUE)
say("writel", GCMD, ON)
assert say("readl", GSTS) == ON
for n, name in enumerate(sys.argv[2:]):
    for half, value in enumerate(DESCRIPTORS[name]):
        say("writeq", QUEUE + 16 * n + 8 * half, value)
say("writeq", TAIL, 16 * len(sys.argv[2:]))
empty = say("readq", HEAD) == say("readq", TAIL)
say("writel", GCMD, 0)
print("empty," if empty else "not empty,", "on" if say("readl", GSTS) & ON else "off")
line.close()
qemu.kill()
qemu.wait()
P
ask()
{
	rm -f qtest
	unpacked /usr/bin/python3 ask.py "$root/usr/share/qemu" "$@"
}
expect "never used" "$(ask)" "empty, on"
expect "an invalidation" "$(ask iotlb)" "empty, on"
expect "a wait, an invalidation" "$(ask wait contexts)" "empty, on"
expect "an unknown descriptor behind a wait" "$(ask wait unknown)" "not empty, on"
expect "an invalidation, a wait" "$(ask iotlb wait)" "empty, off"
