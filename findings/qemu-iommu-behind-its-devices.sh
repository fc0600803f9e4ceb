#!/bin/sh
# SPDX-License-Identifier: MIT
#
# QEMU's pages on VT-d ask for `-device intel-iommu` before all other devices. For an emulated device
# the order means nothing: one that is given first is behind the unit as well.
#
# The machine has a DMA device (edu) before or behind the unit, a root table of zeroes, so that nobody
# has a domain, and translation on. In both orders the device's write does not arrive, and the unit
# records a fault. Who forgets the order has not lost the protection, and who tests "without an IOMMU"
# by giving it last tests with one.
#
# The CPU is parked; registers and memory are reached by QEMU's qtest protocol.
#
# Seen with qemu-system-x86 1:7.2+dfsg-7+deb12u18+b3 (Debian 12).
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
closure qemu-system-x86=1:7.2+dfsg-7+deb12u18+b3

cat >ask.py <<'P'
import os, socket, subprocess, sys, time

VTD, BAR, MEM, ROOT = 0xfed90000, 0xfe000000, 0x100000, 0x200000
with open("park.bin", "wb") as bios:  # the CPU halts at once; all accesses come from outside
    bios.write(bytes(0xfff0) + b"\xf4\xeb\xfd" + bytes(13))


class Machine:
    def __init__(self, share, devices):
        listen = socket.socket(socket.AF_UNIX)
        listen.bind("qtest")
        listen.listen()
        self.qemu = subprocess.Popen(
            ["qemu-system-x86_64", "-L", share, "-M", "q35", "-m", "256M", "-accel", "tcg", "-vga", "none",
             "-display", "none", "-nic", "none", "-serial", "none", "-monitor", "none", "-bios", "park.bin",
             "-qtest", "unix:qtest", *(w for d in devices for w in ("-device", d))], stderr=subprocess.DEVNULL)
        self.line = listen.accept()[0].makefile("rw")
        os.unlink("qtest")

    def say(self, *words):
        self.line.write(" ".join(w if isinstance(w, str) else hex(w) for w in words) + "\n")
        self.line.flush()
        while not (answer := self.line.readline()).startswith("OK"):
            assert answer, words
        return int(answer.split()[1], 16) if len(answer.split()) > 1 else 0

    def pci(self, dev, off, value=None):
        self.say("outl", 0xcf8, 1 << 31 | dev << 11 | off)
        return self.say("inl", 0xcfc) if value is None else self.say("outl", 0xcfc, value)

    def end(self):
        self.line.close()
        self.qemu.kill()
        self.qemu.wait()


def arrives(share, devices):
    """What memory holds after edu wrote zeroes there, and what the unit says of it."""
    m = Machine(share, devices)
    edu = next(d for d in range(32) if m.pci(d, 0) == 0x11e81234)
    m.pci(edu, 0x10, BAR)
    m.pci(edu, 4, 6)  # memory, bus master
    m.say("writel", MEM, 0x11111111)
    m.say("writeq", VTD + 0x20, ROOT)  # a root table of zeroes: nobody has a domain
    m.say("writel", VTD + 0x18, 1 << 30)
    m.say("writel", VTD + 0x18, 1 << 31)
    for reg, value in ((0x80, 0x40000), (0x88, MEM), (0x90, 4), (0x98, 3)):
        m.say("writeq", BAR + reg, value)
    while m.say("readq", BAR + 0x98) & 1:
        time.sleep(0.02)
    text = f"{m.say('readl', MEM):#x}"
    if len(devices) > 1:
        text += f", fault status {m.say('readl', VTD + 0x34):#x}"
    m.end()
    return text


IOMMU, EDU = "intel-iommu", "edu,dma_mask=0xffffffffff"
print(arrives(sys.argv[1], {"before": [IOMMU, EDU], "after": [EDU, IOMMU],
                              "none": [EDU]}[sys.argv[2]]))
P
for order in before after; do
	expect "unit $order the device" "$(unpacked /usr/bin/python3 ask.py "$root/usr/share/qemu" $order)" \
		"0x11111111, fault status 0x2"
done
expect "no unit at all" "$(unpacked /usr/bin/python3 ask.py "$root/usr/share/qemu" none)" "0x0"
