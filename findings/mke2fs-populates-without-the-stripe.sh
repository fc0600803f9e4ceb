#!/bin/sh
# SPDX-License-Identifier: MIT
#
# `mke2fs -E stride=512,stripe_width=512 -d DIR`, the usual way to ask for files that lie on 2 MiB, puts
# DIR's files wherever the last one ended. `mkfs.xfs -d su=2m,sw=1 -p PROTO` aligns those that it copies.
#
# The stripe is a note in the superblock for the kernel's allocator; mke2fs does not read it, nor does
# `debugfs -w -R write`. So an image that was filled when it was made has no file that DAX could map by
# 2 MiB, whatever its options say, and the same files copied in by a kernel do have. Clusters of 2 MiB
# (-O bigalloc -C 2M) align what mke2fs writes.
#
# Seen with e2fsprogs 1.47.0-2+b2 and xfsprogs 6.1.0-1 (Debian 12).
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
closure e2fsprogs=1.47.0-2+b2 xfsprogs=6.1.0-1

mkdir files
for name in a b c; do
	head -c 5M /dev/urandom >files/$name
done
blocks() { unpacked debugfs -R "blocks $1" image 2>/dev/null; }
# How far behind a multiple of 512 blocks of 4 KiB each file begins, and whether it is in one piece.
ext4()
{
	rm -f image
	truncate -s 256M image
	unpacked mke2fs -q -F -t ext4 -b 4096 "$@" -d files image >/dev/null
	place a b c
}
place()
{
	for name in "$@"; do
		blocks "$name" | tr ' ' '\n' | awk 'NR == 1 { first = $1 } NF { n++; last = $1 }
			END { printf "%d%s ", first % 512, last - first + 1 == n ? "" : " in pieces" }'
	done
}

stripe=stride=512,stripe_width=512
expect "ext4, no option: blocks behind a multiple of 512" "$(ext4)" "43 299 43 "
expect "ext4, the stripe" "$(ext4 -E $stripe)" "43 299 43 "
expect "the superblock has it" \
	"$(unpacked dumpe2fs -h image 2>/dev/null | sed -n 's/^RAID stripe width: *//p')" "512"
unpacked debugfs -w -R 'write files/a d' image >/dev/null 2>&1
expect "ext4, the stripe: written by debugfs" "$(place d)" "299 "
expect "ext4, clusters of 2 MiB" "$(ext4 -O bigalloc -C 2M)" "0 0 0 "

# The same files by XFS.
printf '/none\n0 0\nd--755 0 0\n' >proto
for name in a b c; do
	echo "$name ---644 0 0 $work/files/$name"
done >>proto
echo '$' >>proto
xfs()
{
	rm -f image
	truncate -s 2G image
	unpacked mkfs.xfs -q "$@" -p proto image 2>/dev/null
	for name in a b c; do
		inode=$(unpacked xfs_db -r -c 'ls /' image | awk -v name=$name '$6 == name { print $2 }')
		unpacked xfs_db -r -c "inode $inode" -c bmap image |
			awk '{ printf "%d%s ", $5 % 512, (NR > 1) ? " in pieces" : "" }'
	done
}
expect "XFS, no option" "$(xfs)" "24 280 24 "
expect "XFS, the stripe" "$(xfs -d su=2m,sw=1)" "0 0 0 "
