#!/bin/sh
# SPDX-License-Identifier: MIT
#
# On an ext4 with extents the list of bad blocks (inode 1) is kept in the old way all the same: a
# block map of 12 numbers and indirect blocks, no extents flag, and a mode of zero.
#
# Code that takes "the file system has extents" for "every inode has extents", or a mode of zero
# for "this inode is not in use", gives the bad blocks to files.
#
# Seen with e2fsprogs 1.47.0-2+b2 (Debian 12).
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
packages e2fsprogs=1.47.0-2+b2 libext2fs2=1.47.0-2+b2 libcom-err2=1.47.0-2+b2 libss2=1.47.0-2+b2 \
	libblkid1=2.38.1-5+deb12u3 libuuid1=2.38.1-5+deb12u3

truncate -s 64M image
seq 5000 5019 >bad
unpacked mkfs.ext4 -q -F -b 4096 -l bad image
stat() { unpacked debugfs -R "$1" image 2>/dev/null; }
expect "the file system has extents" \
	"$(unpacked dumpe2fs -h image 2>/dev/null | grep -c '^Filesystem features:.* extent')" "1"
expect "inode 1: mode and flags" "$(stat 'stat <1>' | sed -n 's/.*\(Mode: .*\)/\1/p' | tr -s ' ')" \
	"Mode: 0000 Flags: 0x0"
expect "the root directory's flags" "$(stat 'stat <2>' | sed -n 's/.*\(Flags: .*\)/\1/p')" \
	"Flags: 0x80000"
expect "inode 1 has an indirect block" "$(stat 'stat <1>' | grep -c '(IND)')" "1"
expect "bad blocks in it" "$(unpacked dumpe2fs -b image 2>/dev/null | wc -l)" "20"
