#!/bin/sh
# SPDX-License-Identifier: MIT
#
# QEMU's AMD-Vi unit stops a transfer to a page that is not mapped, or that is read-only, and writes no
# event of it, or of anything else: the log is on, its status bit says that it runs, and it stays empty.
#
# The unit's test "has the log overflowed?" is true always. All else works: what is mapped arrives,
# commands are carried out and completed. So a driver's reader of events is never run there, a test that
# waits for a fault waits for ever, and a driver that "had no faults" has learnt nothing; VT-d's records
# on the same machine are real. That a transfer was stopped is seen by its bytes alone.
#
# The CPU is parked; registers and memory are reached by QEMU's qtest protocol.
#
# Seen with qemu-system-x86 1:7.2+dfsg-7+deb12u18+b3 (Debian 12). 10.0.13 does the same; 11.1.2, whose unit
# translates with dma-remap=on only, writes two events for each of these transfers of 8 bytes.
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
closure qemu-system-x86=1:7.2+dfsg-7+deb12u18+b3

cat >ask.py <<'P'
import socket, subprocess, sys

UNIT, EDU, BUFFER, DONE = 0xfed80000, 0xe0000000, 0x40000, 0x300000
DEVICES, COMMANDS, EVENTS, ROOT, MIDDLE, LEAVES, FRAME = (n << 20 for n in range(4, 11))
CONTROL, HEAD, TAIL, STATUS = UNIT + 0x18, UNIT + 0x2010, UNIT + 0x2018, UNIT + 0x2020
PRESENT, READ, WRITE = 1, 1 << 61, 1 << 62
MAPPED, READ_ONLY, ABSENT = 0x800000, 0x801000, 0x802000  # addresses of the device
with open("park.bin", "wb") as bios:
    bios.write(bytes(0xfff0) + b"\xf4\xeb\xfd" + bytes(13))
listen = socket.socket(socket.AF_UNIX)
listen.bind("qtest")
listen.listen()
qemu = subprocess.Popen(
    ["qemu-system-x86_64", "-L", sys.argv[1], "-M", "q35", "-m", "256M", "-accel", "tcg", "-vga", "none",
     "-display", "none", "-nic", "none", "-serial", "none", "-monitor", "none", "-bios", "park.bin",
     "-qtest", "unix:qtest", "-device", "amd-iommu", "-device", "edu,addr=5,dma_mask=0xffffffffff"],
    stderr=subprocess.DEVNULL)
line = listen.accept()[0].makefile("rw")


def say(*words):
    line.write(" ".join(w if isinstance(w, str) else hex(w) for w in words) + "\n")
    line.flush()
    while not (answer := line.readline()).startswith("OK"):
        assert answer, words
    return int(answer.split()[1], 16) if len(answer.split()) > 1 else 0


def quads(at, *values):
    for n, value in enumerate(values):
        say("writeq", at + 8 * n, value)


def config(register, value):
    say("outl", 0xcf8, 1 << 31 | 5 << 11 | register)
    say("outl", 0xcfc, value)


def transfer(source, target, command):
    quads(EDU + 0x80, source, target, 8, 1 | command)
    while say("readq", EDU + 0x98) & 1:
        pass


config(0x10, EDU)
config(0x04, 6)  # memory, bus master
quads(0x200000, 0x77)
transfer(0x200000, BUFFER, 0)  # the unit is off: the device's buffer is filled
quads(DEVICES + 32 * (5 << 3), 3 | 3 << 9 | ROOT | READ | WRITE, 1)
quads(ROOT, MIDDLE | PRESENT | 2 << 9 | READ | WRITE)
quads(MIDDLE + 8 * (MAPPED >> 21), LEAVES | PRESENT | 1 << 9 | READ | WRITE)
quads(LEAVES, FRAME | PRESENT | READ | WRITE, FRAME + 0x1000 | PRESENT | READ)
quads(UNIT, DEVICES, COMMANDS | 8 << 56, EVENTS | 8 << 56)
say("writeq", CONTROL, 1 | 1 << 2 | 1 << 3 | 1 << 12)  # unit, event log and its interrupt, commands
quads(COMMANDS, 5 << 3 | 2 << 60, 0, DONE | 1 | 1 << 60, 0x1234)  # forget the device's entry, then say so
say("writeq", UNIT + 0x2008, 32)
print("log runs: %d, command done: %d" % (say("readq", STATUS) >> 3 & 1, say("readq", DONE) == 0x1234), end=", ")
transfer(BUFFER, MAPPED, 2)
print("mapped: %x" % say("readq", FRAME))
for address, frame in ((READ_ONLY, FRAME + 0x1000), (ABSENT, ABSENT)):
    transfer(BUFFER, address, 2)
    print("arrived: %x, tail: %x, first event: %x" % tuple(say("readq", at) for at in (frame, TAIL, EVENTS)))
for _ in range(20):
    transfer(BUFFER, ABSENT, 2)
print("tail: %x, overflow: %d" % (say("readq", TAIL), say("readq", STATUS) & 1))
line.close()
qemu.kill()
qemu.wait()
P
unpacked /usr/bin/python3 ask.py "$root/usr/share/qemu" >out
answer() { sed -n "$1p" out; }
expect "the unit at work" "$(answer 1)" "log runs: 1, command done: 1, mapped: 77"
expect "a write to a page that may be read" "$(answer 2)" "arrived: 0, tail: 0, first event: 0"
expect "a write to no page" "$(answer 3)" "arrived: 0, tail: 0, first event: 0"
expect "twenty more" "$(answer 4)" "tail: 0, overflow: 0"
