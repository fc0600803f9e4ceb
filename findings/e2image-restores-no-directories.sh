#!/bin/sh
# SPDX-License-Identifier: MIT
#
# `e2image DEVICE FILE` saves "critical ext4 file system metadata", `e2image -I` installs it again: what
# comes back are the superblock, the descriptors, bitmaps and inodes. Directories do not: after a name was
# removed the inode is there again and the name is not, e2image ends with 0, and e2fsck finds errors.
#
# Directory blocks are not in such a file. `debugfs -i` cannot list the root in it either: the checksum of
# its block fails. Who keeps metadata to go back to takes a raw image (`e2image -r`), which has them.
#
# Seen with e2fsprogs 1.47.0-2+b2 (Debian 12).
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
packages e2fsprogs=1.47.0-2+b2 libext2fs2=1.47.0-2+b2 libcom-err2=1.47.0-2+b2 libss2=1.47.0-2+b2 \
	libblkid1=2.38.1-5+deb12u3 libuuid1=2.38.1-5+deb12u3

mkdir files
head -c 1M /dev/urandom >files/a
truncate -s 64M image
unpacked mke2fs -q -F -t ext4 -b 4096 -d files image >/dev/null
unpacked e2image image saved 2>/dev/null
unpacked e2image -r image raw 2>/dev/null
names() { unpacked debugfs "$@" 2>&1 | grep -ow a || echo none; }
expect "debugfs lists in the raw image" "$(names -R ls raw)" "a"
expect "debugfs -i lists in the other" "$(names -i -R 'ls -p' saved)" "none"

unpacked debugfs -w -R 'rm a' image >/dev/null 2>&1
unpacked e2fsck -fn image >/dev/null 2>&1
status=0
unpacked e2image -I image saved 2>/dev/null || status=$?
expect "a removed, and the metadata installed: status, name" "$status, $(names -R ls image)" "0, none"
status=0
unpacked e2fsck -fn image >out 2>&1 || status=$?
expect "e2fsck: status, what it finds" "$status, $(grep -o 'Unattached inode [0-9]*' out)" \
	"4, Unattached inode 12"
