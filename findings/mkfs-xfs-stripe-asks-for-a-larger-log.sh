#!/bin/sh
# SPDX-License-Identifier: MIT
#
# mkfs.xfs makes a file system on 512 MiB, but with `-d su=2m,sw=1` (files at multiples of 2 MiB, for DAX) it ends
# with "Log size must be at least 64MB" and its usage. The log is no part of it: asked for one of 64 MiB
# it says that the log must be smaller.
#
# A stripe is taken for an array of disks, which gets more groups: each is then smaller than the least log, which has
# to lie in one. agcount=4, what mkfs.xfs takes without a stripe, is the way out; with 600 MiB
# it works by itself, with eight groups.
#
# Seen with xfsprogs 6.1.0-1 (Debian 12); 6.13.0-2+deb13u1 (Debian's trixie) says the same.
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
closure xfsprogs=6.1.0-1

# `make_xfs SIZE OPTIONS…`: the number of groups and their blocks, or what is wrong.
make_xfs()
{
	rm -f image
	truncate -s "$1" image
	shift
	unpacked mkfs.xfs -f "$@" image >said 2>&1 || {
		grep -m 1 -E 'Log size|log size' said
		return
	}
	sed -n 's/.*agcount=\([0-9]*\), agsize=\([0-9]*\) .*/\1 groups of \2/p' said
}
expect "512 MiB" "$(make_xfs 512M)" "4 groups of 32768"
expect "512 MiB, a stripe" "$(make_xfs 512M -d su=2m,sw=1)" "Log size must be at least 64MB."
expect "512 MiB, a stripe, a log of 64 MiB" "$(make_xfs 512M -d su=2m,sw=1 -l size=64m)" \
	"internal log size 16384 too large, must be less than 16373"
expect "512 MiB, a stripe, 4 groups" "$(make_xfs 512M -d su=2m,sw=1,agcount=4)" "4 groups of 32768"
expect "600 MiB, a stripe" "$(make_xfs 600M -d su=2m,sw=1)" "8 groups of 19456"
