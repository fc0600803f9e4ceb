#!/bin/sh
# SPDX-License-Identifier: MIT
#
# `resize2fs -z UNDO image SIZE` promises "this can be undone", e2undo ends with 0, e2fsck finds nothing
# wrong with the result, and a file in it has nothing but zeroes.
#
# The undo file holds the blocks that were written over. A block that lay behind the new end was written
# over by nobody: resize2fs copies it to the front and then cuts the image file. e2undo gives back the
# metadata that points behind the end, and not what lay there; it does not even make the image as long
# as it was. A shrink of an image is undone by a copy of the image only.
#
# Seen with e2fsprogs 1.47.0-2+b2 (Debian 12); 1.47.2 and 1.47.4 do the same.
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
packages e2fsprogs=1.47.0-2+b2 libext2fs2=1.47.0-2+b2 libcom-err2=1.47.0-2+b2 libss2=1.47.0-2+b2 \
	libblkid1=2.38.1-5+deb12u3 libuuid1=2.38.1-5+deb12u3

ask() { unpacked debugfs "$@" 2>/dev/null; }
check() { unpacked e2fsck -fn image >/dev/null 2>&1 && echo clean; }
read_back() { ask -R 'dump b now' image && cmp -s now files/b && echo whole || echo "other bytes"; }

# A file behind the middle of the image: the one before it is removed again.
mkdir files
head -c 40M /dev/urandom >files/a
head -c 1M /dev/urandom >files/b
truncate -s 64M image
unpacked mke2fs -q -F -t ext4 -b 4096 -d files image >/dev/null
ask -w -R 'rm a' image

expect "resize2fs says" \
	"$(unpacked resize2fs -z undo image 32M 2>&1 | grep -o 'this can be undone')" "this can be undone"
expect "shrunk: bytes, e2fsck, file" "$(stat -c %s image), $(check), $(read_back)" "33554432, clean, whole"

status=0
unpacked e2undo undo image >/dev/null 2>&1 || status=$?
expect "e2undo: status, bytes of the image" "$status, $(stat -c %s image)" "0, 33554432"
truncate -s 64M image
expect "as long as it was: e2fsck, file" "$(check), $(read_back)" "clean, other bytes"
expect "what the file holds, other than zeroes" "$(tr -d '\000' <now | wc -c)" "0"
