#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The order of the structures in QEMU's NFIT depends on how the devices are *named* on the command
# line (id=), since they are collected from a hash table: neither slot nor address orders them.
#
# Renaming the same DIMMs turns the table round. Code that takes "the first range structure" for
# "the first DIMM" works with one choice of names and not with the next; handle and base decide.
#
# Seen with qemu-system-x86 1:7.2+dfsg-7+deb12u18+b3 and seabios 1.16.2-1 (Debian 12).
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
closure qemu-system-x86=1:7.2+dfsg-7+deb12u18+b3 seabios=1.16.2-1

cat >order.py <<'P'
"""Boots the firmware alone, which puts the tables into memory, and reads the NFIT there."""
import json, os, struct, subprocess, sys, time
share, names = sys.argv[1], sys.argv[2:]
args = ["qemu-system-x86_64", "-L", share + "/qemu", "-L", share + "/seabios", "-M",
        "q35,nvdimm=on", "-m", "64M,slots=8,maxmem=8G", "-display", "none", "-nic", "none",
        "-serial", "none", "-vga", "none", "-qmp", "stdio"]
for n, name in enumerate(names):
    with open(f"{n}.img", "wb") as image:
        image.truncate(16 << 20)
    args += ["-object", f"memory-backend-file,id=m{n},share=on,mem-path={n}.img,size=16M",
             "-device", f"nvdimm,id={name},memdev=m{n}"]
qemu = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

def do(word, **arguments):
    qemu.stdin.write(json.dumps({"execute": word, "arguments": arguments}) + "\n")
    qemu.stdin.flush()
    while True:
        answer = json.loads(qemu.stdout.readline())
        if "return" in answer:
            return answer["return"]

def table():
    do("pmemsave", val=0, size=64 << 20, filename=os.path.abspath("ram"))
    with open("ram", "rb") as ram:
        memory = ram.read()
    at = memory.find(b"NFIT")
    while at >= 0:
        length, = struct.unpack_from("<I", memory, at + 4)
        if memory[at + 8] == 1 and 40 <= length < 4096 and not sum(memory[at:at + length]) & 255:
            return memory[at + 40:at + length]
        at = memory.find(b"NFIT", at + 1)
    return None

do("qmp_capabilities")
for _ in range(100):
    nfit = table()
    if nfit:
        break
    time.sleep(0.2)
order = []
while nfit:
    kind, length = struct.unpack_from("<HH", nfit)
    if kind == 0:
        index, = struct.unpack_from("<H", nfit, 4)
        order.append(index // 2)
    nfit = nfit[length:]
print(*order)
do("quit")
qemu.wait()
P
order() { unpacked /usr/bin/python3 order.py "$root/usr/share" "$@"; }
expect "slots 1-4 in the table, named nv0 nv1 nv2 nv3" "$(order nv0 nv1 nv2 nv3)" "1 3 2 4"
expect "slots 1-4 in the table, named a b c d" "$(order a b c d)" "2 4 1 3"
expect "slots 1-4 in the table, named d c b a" "$(order d c b a)" "3 1 4 2"
