#!/bin/sh
# SPDX-License-Identifier: MIT
#
# `resize2fs -M` shrinks a file system "to the minimum size". Asked again it shrinks it further, by a
# fifth, and then once more.
#
# The minimum is an estimate that goes by the layout at hand, and a shrink changes the layout. An image is
# as small as it goes when -M has nothing left to do; a size that was taken from one -M is no lower bound.
#
# Seen with e2fsprogs 1.47.0-2+b2 (Debian 12); 1.47.2 and 1.47.4 come to the same sizes.
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
packages e2fsprogs=1.47.0-2+b2 libext2fs2=1.47.0-2+b2 libcom-err2=1.47.0-2+b2 libss2=1.47.0-2+b2 \
	libblkid1=2.38.1-5+deb12u3 libuuid1=2.38.1-5+deb12u3

mkdir files
for n in $(seq 60); do
	head -c 100000 /dev/zero | tr '\000' x >files/$n
done
truncate -s 512M image
unpacked mke2fs -q -F -t ext4 -b 4096 -d files image
sizes=
for turn in first second third fourth; do
	unpacked resize2fs -M image >/dev/null 2>&1
	sizes="$sizes $(($(stat -c %s image) / 4096))"
done
expect "blocks after each of four shrinks to the minimum" "$sizes" " 7924 6184 6182 6182"
expect "e2fsck" "$(unpacked e2fsck -fn image >/dev/null 2>&1 && echo clean)" "clean"
