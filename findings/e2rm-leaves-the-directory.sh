#!/bin/sh
# SPDX-License-Identifier: MIT
#
# `e2rm -r` of a directory takes its name away and ends with 0, but its inode stays in use, without
# a name: the next e2fsck calls the file system damaged. A file that e2rm removes leaves nothing.
#
# Seen on ext2 and ext4, with e2tools 0.1.0-3 and e2fsprogs 1.47.0-2+b2 (Debian 12). What debugfs's
# `rmdir` removes is gone.
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
packages e2tools=0.1.0-3 e2fsprogs=1.47.0-2+b2 libext2fs2=1.47.0-2+b2 libcom-err2=1.47.0-2+b2 \
	libss2=1.47.0-2+b2 libblkid1=2.38.1-5+deb12u3 libuuid1=2.38.1-5+deb12u3

mkdir -p from/empty
echo text >from/file
# fresh TYPE: an image with one file and one directory that is empty.
fresh()
{
	rm -f image
	truncate -s 64M image
	unpacked mkfs.$1 -q -F -b 4096 -d from image
}
# left: what e2fsck says of the image.
left()
{
	unpacked e2fsck -fn image >report 2>/dev/null && echo clean && return
	grep -c '^Unconnected directory inode' report
}

for type in ext2 ext4; do
	fresh $type
	expect "$type, as it was made" "$(left)" clean
	unpacked e2rm image:/file
	expect "$type, a file removed" "$(left)" clean
	expect "$type, e2rm -r of the directory" "$(unpacked e2rm -r image:/empty && echo fine)" fine
	expect "$type, names that are left" "$(unpacked e2ls image:/ | tr -d ' \n')" "lost+found"
	expect "$type, directories without a name" "$(left)" 1
	fresh $type
	unpacked debugfs -w -R "rmdir empty" image >/dev/null 2>&1
	expect "$type, debugfs's rmdir" "$(left)" clean
done
