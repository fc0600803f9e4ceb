#!/bin/sh
# SPDX-License-Identifier: MIT
#
# `tune2fs -U` gives a file system a new UUID and leaves the journal inside it the old one.
#
# The journal's checksums start from the journal's own UUID, so a reader that starts them from the
# file system's, as for everything else on the device, takes every block of the log for damaged
# from then on.
#
# Seen with e2fsprogs 1.47.0-2+b2 (Debian 12).
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
packages e2fsprogs=1.47.0-2+b2 libext2fs2=1.47.0-2+b2 libcom-err2=1.47.0-2+b2 libss2=1.47.0-2+b2 \
	libblkid1=2.38.1-5+deb12u3 libuuid1=2.38.1-5+deb12u3

old=11111111-2222-3333-4444-555555555555 new=99999999-8888-7777-6666-555555555555
truncate -s 64M image
unpacked mkfs.ext4 -q -F -b 4096 -U $old image
# 16 bytes of the journal's superblock, from 48 on, and of the file system's, from 1024 + 104 on.
hex() { od -An -tx1 -j "$1" -N 16 image | tr -d ' \n'; }
journal() { hex $(($(unpacked debugfs -R 'bmap <8> 0' image 2>/dev/null) * 4096 + 48)); }
plain() { echo "$1" | tr -d -; }
expect "journal's UUID when new" "$(journal)" "$(plain $old)"
unpacked tune2fs -U $new image >/dev/null 2>&1
expect "file system's UUID behind tune2fs -U" "$(hex 1128)" "$(plain $new)"
expect "journal's UUID behind tune2fs -U" "$(journal)" "$(plain $old)"
