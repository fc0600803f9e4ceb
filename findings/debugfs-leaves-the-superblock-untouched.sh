#!/bin/sh
# SPDX-License-Identifier: MIT
#
# debugfs opened for writing changes an inode, and frees one, without a trace in the superblock:
# no time of last write, no mount count, no checksum of it changes. `set_super_value` and tune2fs
# do write it.
#
# A file system that remembers "the superblock is as I left it, so nobody else wrote here" is right
# about mounts, tune2fs and e2fsck, and wrong about this editor.
#
# Seen with e2fsprogs 1.47.0-2+b2 (Debian 12).
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
packages e2fsprogs=1.47.0-2+b2 libext2fs2=1.47.0-2+b2 libcom-err2=1.47.0-2+b2 libss2=1.47.0-2+b2 \
	libblkid1=2.38.1-5+deb12u3 libuuid1=2.38.1-5+deb12u3

mkdir from
echo text >from/file
truncate -s 64M image
unpacked mkfs.ext4 -q -F -b 4096 -d from image
super() { dd if=image bs=1024 skip=1 count=1 2>/dev/null | md5sum; }
whole() { md5sum <image; }
changed() { [ "$1" = "$2" ] && echo same || echo changed; }
# The superblock and the image before and after one debugfs request.
after()
{
	s=$(super) w=$(whole)
	sleep 1
	unpacked debugfs -w -R "$1" image >/dev/null 2>&1 || true
	echo "$(changed "$s" "$(super)") $(changed "$w" "$(whole)")"
}
expect "set_inode_field: superblock, image" "$(after 'set_inode_field file flags 0x80010')" \
	"same changed"
expect "clri: superblock, image" "$(after 'clri file')" "same changed"
expect "set_super_value: superblock, image" "$(after 'set_super_value mnt_count 7')" \
	"changed changed"
