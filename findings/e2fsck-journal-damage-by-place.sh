#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What e2fsck replays from a journal with one damaged block depends on which block it is, and the
# status is the wrong way round. Three transactions of one block each, checksums of version 3:
#
#   the third's commit block    the first two are replayed, the third is not     status 0
#   the second's data block     the first and the third are replayed             status 1
#   the third's descriptor      nothing at all is replayed, not even good ones   status 1
#
# A model of replay as "everything up to the first fault" holds for the first line only; and a
# status of 0 does not mean that the journal was replayed to its end.
#
# Seen with e2fsprogs 1.47.0-2+b2 (Debian 12).
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
packages e2fsprogs=1.47.0-2+b2 libext2fs2=1.47.0-2+b2 libcom-err2=1.47.0-2+b2 libss2=1.47.0-2+b2 \
	libblkid1=2.38.1-5+deb12u3 libuuid1=2.38.1-5+deb12u3

{
	echo 'journal_open -c -v 3'
	for n in 1 2 3; do
		head -c 4096 /dev/zero | tr '\0' $n >block$n
		echo "journal_write -b 1500$n block$n"
	done
	echo journal_close
} >commands

# The image with its journal not yet replayed. Block n of the journal has the number `block n`:
# 1 2 3, 4 5 6, 7 8 9 are descriptor, data and commit of the three transactions.
fresh()
{
	rm -f image
	truncate -s 64M image
	unpacked mkfs.ext4 -q -F -b 4096 image
	unpacked debugfs -w -f commands image >/dev/null 2>&1
}
block() { unpacked debugfs -R "bmap <8> $1" image 2>/dev/null; }
damage() { printf '\377' | dd of=image bs=1 seek=$(($(block "$1") * 4096 + 2000)) conv=notrunc 2>/dev/null; }
# Status, and which of the three blocks reached their place.
replay()
{
	status=0
	unpacked e2fsck -fy image >out 2>&1 || status=$?
	for n in 1 2 3; do
		dd if=image bs=4096 skip=1500$n count=1 2>/dev/null | head -c 1 | tr '\0' '-'
	done
	echo " status $status"
}
fresh
expect "undamaged" "$(replay)" "123 status 0"
fresh
damage 9
expect "commit of the third" "$(replay)" "12- status 0"
fresh
damage 5
expect "data of the second" "$(replay)" "1-3 status 1"
fresh
damage 7
expect "descriptor of the third" "$(replay)" "--- status 1"
