#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A file that e2cp (e2tools) copies into an ext4 with extents has none: it is mapped by the block
# numbers and indirect blocks of ext2. What `mkfs.ext4 -d` and debugfs's `write` put beside it has
# extents, and so has a directory that e2mkdir makes. e2fsck has nothing against the mixture.
#
# Whoever reads "the file system has the feature, so its files have extents" and fills test images
# by e2cp, as it needs no rights, reads an extent header where there are block numbers.
#
# Seen with e2tools 0.1.0-3 and e2fsprogs 1.47.0-2+b2 (Debian 12).
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
packages e2tools=0.1.0-3 e2fsprogs=1.47.0-2+b2 libext2fs2=1.47.0-2+b2 libcom-err2=1.47.0-2+b2 \
	libss2=1.47.0-2+b2 libblkid1=2.38.1-5+deb12u3 libuuid1=2.38.1-5+deb12u3

mkdir from
head -c 300000 /dev/zero >from/made
truncate -s 64M image
unpacked mkfs.ext4 -q -F -b 4096 -d from image
unpacked debugfs -w -R "write from/made written" image >/dev/null 2>&1
unpacked e2cp from/made image:/copied
unpacked e2mkdir image:/directory
flags() { unpacked debugfs -R "stat $1" image 2>/dev/null | sed -n 's/.*Flags: //p'; }
indirect() { unpacked debugfs -R "stat $1" image 2>/dev/null | grep -c '(IND)' || true; }

expect "a file by mkfs.ext4 -d" "$(flags made)" 0x80000
expect "a file by debugfs" "$(flags written)" 0x80000
expect "a directory by e2mkdir" "$(flags directory)" 0x80000
expect "a file by e2cp" "$(flags copied)" 0x0
expect "lines of the copy with an indirect block" "$(indirect copied)" 1
expect "e2fsck" "$(unpacked e2fsck -fn image >/dev/null 2>&1 && echo clean || echo damaged)" clean
