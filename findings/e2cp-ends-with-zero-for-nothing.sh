#!/bin/sh
# SPDX-License-Identifier: MIT
#
# e2cp ends with 0 when it copied nothing because there is no such file, on the image or on this
# system; it says so, and goes on. e2ls of a name that is not there ends with 1, e2rm with 76, and
# an e2cp for which the image is too small with 255. A directory of the destination that is not
# there is no error either: it is made.
#
# A script that fills an image by `set -e` and e2cp does not notice what it lacks.
#
# Seen with e2tools 0.1.0-3 and e2fsprogs 1.47.0-2+b2 (Debian 12).
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
packages e2tools=0.1.0-3 e2fsprogs=1.47.0-2+b2 libext2fs2=1.47.0-2+b2 libcom-err2=1.47.0-2+b2 \
	libss2=1.47.0-2+b2 libblkid1=2.38.1-5+deb12u3 libuuid1=2.38.1-5+deb12u3

truncate -s 8M image
unpacked mkfs.ext4 -q -F -b 4096 image
echo text >file
truncate -s 64M sparse
tr '\0' x <sparse >large
status() { s=0; unpacked "$@" >said 2>&1 || s=$?; echo $s; }

expect "e2ls of what is not there" "$(status e2ls image:/none)" 1
expect "e2rm of what is not there" "$(status e2rm image:/none)" 76
expect "e2cp of what is not there, out" "$(status e2cp image:/none copy)" 0
expect "what it said" "$(cat said)" "/none not found"
expect "the copy" "$([ -e copy ] && echo made || echo none)" none
expect "e2cp of what is not there, in" "$(status e2cp none image:/copy)" 0
expect "e2cp of too much" "$(status e2cp large image:/large)" 255
expect "e2cp into a directory that is not there" "$(status e2cp file image:/new/file)" 0
expect "names on the image" "$(unpacked e2ls image:/ | tr -s ' \n' ' ')" "lost+found new "
