#!/bin/sh
# SPDX-License-Identifier: MIT
#
# blkid and wipefs know of nearly everything that can lie on a block device, but not of the info
# block by which a kernel recognises a namespace of persistent memory (4 KiB from its start).
#
# So the usual question "is this device free?" is answered with yes for a DIMM image that is in
# use, and `wipefs --all` leaves the block: the next boot finds the namespace again. A program that
# asks before it overwrites has to look for "NVDIMM_PFN_INFO" and "NVDIMM_DAX_INFO" itself.
#
# Seen with ndctl 76.1-1 and util-linux 2.38.1-5+deb12u3 (Debian 12).
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
packages ndctl=76.1-1 libndctl6=76.1-1 libdaxctl1=76.1-1 libcxl1=76.1-1 libiniparser1=4.1-6 \
	libtraceevent1=1:1.7.1-1 libtracefs1=1.6.4-1 libjson-c5=0.16-2 libkeyutils1=1.6.3-2 \
	libuuid1=2.38.1-5+deb12u3 libblkid1=2.38.1-5+deb12u3 util-linux=2.38.1-5+deb12u3 \
	libsmartcols1=2.38.1-5+deb12u3

truncate -s 64M dimm.img
unpacked ndctl write-infoblock -o dimm.img -m fsdax -s 64M -a 2M -M dev 2>/dev/null
magic() { dd if=dimm.img bs=1 skip=4096 count=15 2>/dev/null; }
expect "what lies at 4096" "$(magic)" "NVDIMM_PFN_INFO"

status=0
unpacked blkid -p dimm.img >out 2>&1 || status=$?
expect "blkid -p: status, and what it says" "$status $(cat out)" "2 "
expect "wipefs lists" "$(unpacked wipefs dimm.img)" ""
unpacked wipefs --all dimm.img
expect "what lies at 4096 behind wipefs --all" "$(magic)" "NVDIMM_PFN_INFO"
unpacked ndctl read-infoblock -i dimm.img >/dev/null 2>out
expect "ndctl still says" "$(cat out)" "read 1 infoblock"
