#!/bin/sh
# SPDX-License-Identifier: MIT
#
# `e2fsck -fn` ends with status 0 although it has just printed that the free block count is wrong.
#
# Its manual's status 4 ("errors left uncorrected") is for faults of structure; wrong totals in the
# superblock do not count, while -fy mends the same image and ends with 1. A test that judges an
# image by the status alone lets a whole class of faults pass: read the words as well.
#
# Seen with e2fsprogs 1.47.0-2+b2 (Debian 12).
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
packages e2fsprogs=1.47.0-2+b2 libext2fs2=1.47.0-2+b2 libcom-err2=1.47.0-2+b2 libss2=1.47.0-2+b2 \
	libblkid1=2.38.1-5+deb12u3 libuuid1=2.38.1-5+deb12u3

truncate -s 64M image
unpacked mkfs.ext4 -q -F -b 4096 image
unpacked debugfs -w -R 'set_super_value free_blocks_count 5' image 2>/dev/null

status=0
unpacked e2fsck -fn image >out 2>&1 || status=$?
expect "-fn says" "$(grep -o 'Free blocks count wrong (5, counted=[0-9]*)' out | cut -d, -f1)" \
	"Free blocks count wrong (5"
expect "-fn: status" "$status" "0"
status=0
unpacked e2fsck -fy image >out 2>&1 || status=$?
expect "-fy: status" "$status" "1"
