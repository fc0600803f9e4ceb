#!/bin/sh
# SPDX-License-Identifier: MIT
#
# QEMU does not place NVDIMMs in the order in which they are given: one that is given later and
# fits into a gap, left by the alignment of an earlier one, lies below it.
#
# Three DIMMs of 64 MiB, 1 GiB (aligned to 1 GiB) and 64 MiB come out as first, third, second by
# address. Who numbers persistent memory by address, as "pmem0, pmem1, …", changes the names when
# a size or an alignment changes; slots (and with them the NFIT's handles) keep the order given.
#
# Seen with qemu-system-x86 1:7.2+dfsg-7+deb12u18+b3 (Debian 12).
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
closure qemu-system-x86=1:7.2+dfsg-7+deb12u18+b3

cat >ask.py <<'P'
import json, subprocess, sys
args = ["qemu-system-x86_64", "-L", sys.argv[1], "-M", "q35,nvdimm=on", "-m",
        "256M,slots=8,maxmem=64G", "-display", "none", "-nic", "none", "-serial", "none", "-S",
        "-qmp", "stdio"]
for name, size, align in (("one", 64, "2M"), ("two", 1024, "1G"), ("three", 64, "2M")):
    with open(name, "wb") as image:
        image.truncate(size << 20)
    args += ["-object", f"memory-backend-file,id=m-{name},share=on,mem-path={name},size={size}M,"
             f"align={align}", "-device", f"nvdimm,id={name},memdev=m-{name}"]
words = "".join(json.dumps({"execute": word}) + "\n"
                for word in ("qmp_capabilities", "query-memory-devices", "quit"))
out = subprocess.run(args, input=words, stdout=subprocess.PIPE, check=True, text=True).stdout
for line in out.splitlines():
    answer = json.loads(line).get("return")
    if isinstance(answer, list):
        devices = sorted((d["data"] for d in answer), key=lambda d: d["addr"])
        print(*(f"{d['id']}:slot{d['slot']}:{d['addr']:#x}" for d in devices))
P
expect "by address" "$(unpacked /usr/bin/python3 ask.py "$root/usr/share/qemu")" \
	"one:slot0:0x100000000 three:slot2:0x104000000 two:slot1:0x140000000"
