#!/bin/sh
# SPDX-License-Identifier: MIT
#
# `ndctl read-infoblock` counts an info block whose Fletcher-64 sum is wrong as read, status 0.
#
# The kernel refuses such a block, so a namespace that "reads well" here may still not come up. A
# script that checks DIMM images has to compute the sum (over the 4096 bytes, its own 8 zeroed).
#
# Seen with ndctl 76.1-1 (Debian 12).
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
packages ndctl=76.1-1 libndctl6=76.1-1 libdaxctl1=76.1-1 libcxl1=76.1-1 libiniparser1=4.1-6 \
	libtraceevent1=1:1.7.1-1 libtracefs1=1.6.4-1 libjson-c5=0.16-2 libkeyutils1=1.6.3-2 \
	libuuid1=2.38.1-5+deb12u3

truncate -s 64M dimm.img
unpacked ndctl write-infoblock -o dimm.img -m fsdax -s 64M -a 2M -M dev 2>/dev/null
sum() { od -An -tx8 -j 8184 -N 8 dimm.img | tr -d ' '; }
was=$(sum)
printf '\000\000\000\000\000\000\000\000' | dd of=dimm.img bs=1 seek=8184 conv=notrunc 2>/dev/null
expect "the sum differs from the right one" "$([ "$(sum)" != "$was" ] && echo yes)" "yes"

status=0
unpacked ndctl read-infoblock -i dimm.img >/dev/null 2>out || status=$?
expect "status, and what it says" "$status $(cat out)" "0 read 1 infoblock"
