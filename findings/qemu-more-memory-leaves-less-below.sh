#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A q35 machine with one MiB more has 767 MiB less below 4 GiB: with -m 2815M all of it lies there, with
# -m 2816M only 2 GiB do, and the rest begins at 4 GiB. (`-M pc` does the same at 3584M: 3 GiB are left.)
#
# The memory below 4 GiB is no "as much as fits": from a certain size on QEMU splits at a round gigabyte, so
# that both halves can have gigabyte pages. Who tests memory above 4 GiB needs -m 2816M and no 4G; who looks
# for a contiguous piece (a large module, a DMA buffer) finds less of it in the larger machine.
# max-ram-below-4g= moves the border downwards only.
#
# Seen with qemu-system-x86 1:7.2+dfsg-7+deb12u18+b3 (Debian 12), in the map that the firmware is given;
# 10.0.13 has the same borders.
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
closure qemu-system-x86=1:7.2+dfsg-7+deb12u18+b3

# `map.py MACHINE SIZE`: the ranges of RAM in the fw_cfg file "etc/e820", read through its ports.
cat >map.py <<'P'
import struct, subprocess, sys
share, machine, size = sys.argv[1:]
qemu = subprocess.Popen(["qemu-system-x86_64", "-L", share + "/qemu", "-L", share + "/seabios", "-M", machine,
                         "-m", size, "-display", "none", "-nodefaults", "-S", "-qtest", "stdio", "-accel", "tcg"],
                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                        text=True)

def ask(word):
    qemu.stdin.write(word + "\n")
    qemu.stdin.flush()
    while True:
        answer = qemu.stdout.readline()
        if not answer or answer.startswith("OK"):
            return answer.split()[1:]

def select(key):
    ask(f"outw 0x510 {key:#x}")

def read(length):
    return bytes(int(ask("inb 0x511")[0], 16) for _ in range(length))

select(0x19)
entries = [struct.unpack(">IHH56s", read(64)) for _ in range(struct.unpack(">I", read(4))[0])]
length, key = next((e[0], e[1]) for e in entries if e[3].rstrip(b"\0") == b"etc/e820")
select(key)
ranges = struct.iter_unpack("<QQI", read(length))
print(", ".join(f"{size >> 20} MiB at {base:#x}" for base, size, kind in sorted(ranges) if kind == 1))
qemu.kill()
P
map() { unpacked /usr/bin/python3 map.py "$root/usr/share" "$@"; }
expect "q35, -m 2815M" "$(map q35 2815M)" "2815 MiB at 0x0"
expect "q35, -m 2816M" "$(map q35 2816M)" "2048 MiB at 0x0, 768 MiB at 0x100000000"
expect "pc, -m 3583M" "$(map pc 3583M)" "3583 MiB at 0x0"
expect "pc, -m 3584M" "$(map pc 3584M)" "3072 MiB at 0x0, 512 MiB at 0x100000000"
expect "q35, -m 2816M, max-ram-below-4g=3G" "$(map q35,max-ram-below-4g=3G 2816M)" \
	"2048 MiB at 0x0, 768 MiB at 0x100000000"
expect "q35, -m 2815M, max-ram-below-4g=1G" "$(map q35,max-ram-below-4g=1G 2815M)" \
	"1024 MiB at 0x0, 1791 MiB at 0x100000000"
