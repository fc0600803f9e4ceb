#!/bin/sh
# SPDX-License-Identifier: MIT
#
# QEMU's `edu`, from which one learns DMA, refuses no address: of one beyond its mask it drops the upper
# bits, moves the bytes to or from what is left, and finishes as it does else. The mask is 28 bits if
# none is given, so in a machine of more than 256 MiB a buffer that the driver allocated can be above,
# and other memory is overwritten instead. A line on QEMU's standard output tells, the guest nothing.
# Nor does a transfer that is started while another one runs return an error: it does not take place.
#
# A driver sets its mask (dma_mask=) and refuses by itself; an IOMMU sees the address that was cut.
#
# The CPU is parked; registers and memory are reached by QEMU's qtest protocol.
#
# Seen with qemu-system-x86 1:7.2+dfsg-7+deb12u18+b3 (Debian 12).
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
closure qemu-system-x86=1:7.2+dfsg-7+deb12u18+b3

cat >ask.py <<'P'
import socket, subprocess, sys

EDU, BUFFER, LOW, HIGH = 0xe0000000, 0x40000, 0x1000000, 0x11000000  # HIGH is LOW and one bit of 256 MiB
SOURCE, TARGET, COUNT, COMMAND, RUN, TO_RAM = EDU + 0x80, EDU + 0x88, EDU + 0x90, EDU + 0x98, 1, 2
with open("park.bin", "wb") as bios:
    bios.write(bytes(0xfff0) + b"\xf4\xeb\xfd" + bytes(13))
listen = socket.socket(socket.AF_UNIX)
listen.bind("qtest")
listen.listen()
qemu = subprocess.Popen(
    ["qemu-system-x86_64", "-L", sys.argv[1], "-M", "q35", "-m", "512M", "-accel", "tcg", "-vga", "none",
     "-display", "none", "-nic", "none", "-serial", "none", "-monitor", "none", "-bios", "park.bin",
     "-qtest", "unix:qtest", "-device", "edu,addr=5" + sys.argv[2]], stdout=open("said", "wb"),
    stderr=subprocess.DEVNULL)
line = listen.accept()[0].makefile("rw")


def say(*words):
    line.write(" ".join(w if isinstance(w, str) else hex(w) for w in words) + "\n")
    line.flush()
    while not (answer := line.readline()).startswith("OK"):
        assert answer, words
    return int(answer.split()[1], 16) if len(answer.split()) > 1 else 0


def config(register, value):
    say("outl", 0xcf8, 1 << 31 | 5 << 11 | register)
    say("outl", 0xcfc, value)


def start(source, target, command):
    for register, value in ((SOURCE, source), (TARGET, target), (COUNT, 8), (COMMAND, RUN | command)):
        say("writeq", register, value)


def wait():
    while say("readq", COMMAND) & RUN:
        pass


config(0x10, EDU)
config(0x04, 6)  # memory, bus master
say("writeq", HIGH, 0x1111)
say("writeq", LOW, 0x2222)
start(HIGH, BUFFER, 0)
wait()
start(BUFFER, LOW + 64, TO_RAM)
wait()
print("read %x," % say("readq", LOW + 64), end=" ")
start(BUFFER, HIGH + 128, TO_RAM)
wait()
print("written to", "HIGH" if say("readq", HIGH + 128) else "LOW" if say("readq", LOW + 128) else "none", end=", ")
start(BUFFER, LOW + 192, TO_RAM)
start(BUFFER, LOW + 256, TO_RAM)
wait()
print("of two", sum(bool(say("readq", LOW + at)) for at in (192, 256)), end=", ")
line.close()
qemu.kill()
qemu.wait()
print(open("said").read().count("clamping DMA"), "lines")
P
ask()
{
	rm -f qtest
	unpacked /usr/bin/python3 ask.py "$root/usr/share/qemu" "$@"
}
expect "its own mask" "$(ask '')" "read 2222, written to LOW, of two 1, 2 lines"
expect "a mask of 40 bits" "$(ask ,dma_mask=0xffffffffff)" "read 1111, written to HIGH, of two 1, 0 lines"
