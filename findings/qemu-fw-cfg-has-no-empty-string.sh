#!/bin/sh
# SPDX-License-Identifier: MIT
#
# QEMU's -fw_cfg takes an empty string for one that was not given: the machine does not start, and
# the message asks for "exactly one of file, string and gen_id" although one is there. An empty
# *file* is accepted, and the guest finds an item of length 0 (so "there and empty" exists).
#
# A launcher that hands on a variable (string=$CMD) works until the variable is empty for once.
#
# Seen with qemu-system-x86 1:7.2+dfsg-7+deb12u18+b3 (Debian 12).
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
closure qemu-system-x86=1:7.2+dfsg-7+deb12u18+b3

# `items ARGUMENTS`: the number of fw_cfg files that the guest would see, read through its ports.
cat >items.py <<'P'
import subprocess, sys
words = "outw 0x510 0x19\n" + "inb 0x511\n" * 4
qemu = subprocess.Popen(["qemu-system-x86_64", "-L", sys.argv[1], "-L", sys.argv[2], "-M", "q35",
                         "-display", "none", "-nodefaults", "-S", "-qtest", "stdio", "-accel", "tcg"]
                        + sys.argv[3:], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                        stderr=subprocess.PIPE, text=True)
qemu.stdin.write(words)
qemu.stdin.flush()
number, answers = 0, 0
for line in qemu.stdout:
    if line.startswith("OK"):
        answers += 1
        number = number * 256 + int(line.split()[1], 16) if answers > 1 else 0
    if answers == 5:
        qemu.terminate()
if answers == 5:
    print(number)
else:
    print("no machine:", qemu.stderr.read().strip().split(": ", 2)[-1])
P
items()
{
	unpacked /usr/bin/python3 items.py "$root/usr/share/qemu" "$root/usr/share/seabios" "$@"
}
: >empty
none=$(items)
expect "a string of one character is one item more" \
	"$(($(items -fw_cfg name=opt/a/b,string=x) - none))" 1
expect "an empty file is one item more" "$(($(items -fw_cfg name=opt/a/b,file=empty) - none))" 1
expect "an empty string" "$(items -fw_cfg name=opt/a/b,string=)" \
	"no machine: name, plus exactly one of file, string and gen_id, are needed"
