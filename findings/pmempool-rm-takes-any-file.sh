#!/bin/sh
# SPDX-License-Identifier: MIT
#
# `pmempool rm --only-pools` removes a file that is no pool.
#
# The option's name and its line in the manual ("remove only pool files") speak of the other choice, the
# lists of a pool's parts: those are spared, and every other file counts as a pool. The same tool's info
# and check refuse the file by name a moment before. `pmempool rm *` in a folder of images is `rm *`.
#
# Seen with pmdk-tools 1.12.1-2 (Debian 12) and 1.13.1-1.1 (Debian 13).
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
closure pmdk-tools=1.12.1-2

head -c 8192 /dev/zero >notes
expect "info says" "$(unpacked pmempool info notes 2>&1)" "error: notes: unknown pool type -- ''"
for option in "" --only-pools; do
	head -c 8192 /dev/zero >notes
	status=0
	unpacked pmempool rm $option notes >out 2>&1 || status=$?
	expect "rm $option: status, words, file" \
		"$status, $(wc -c <out), $([ -e notes ] && echo there || echo gone)" "0, 0, gone"
done
