#!/bin/busybox sh
# SPDX-License-Identifier: MIT
#
# The first program of the Linux column: what a prompt needs, then the suites named on the kernel
# command line as suites=a,b,c. `prompt` stands for an interactive shell at this place.
export PATH=/bin
/bin/busybox mkdir -p /proc /sys /dev /dax
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs devtmpfs /dev 2>/dev/null
while read -r module; do
	# shellcheck disable=SC2086 # a line is a file and its parameters
	/bin/busybox insmod /modules/$module || echo "{\"error\":\"insmod $module\"}"
done </modules/order
# The drivers probe in the background: every region has its disk before anything else begins.
count() { echo $#; }
tries=500
until [ "$(count /sys/block/pmem*)" = "$(count /sys/bus/nd/devices/region*)" ] &&
	[ -e /sys/block/pmem0 ]; do
	/bin/busybox usleep 10000
	tries=$((tries - 1))
	[ $tries -gt 0 ] || { echo '{"error":"no disk for some region"}'; break; }
done
read -r cmdline </proc/cmdline
suites=
for word in $cmdline; do
	case $word in
	suites=*) suites=$(echo "${word#suites=}" | /bin/busybox tr , ' ') ;;
	esac
done
for suite in $suites; do
	case $suite in
	# Mounts the larger DIMM: what follows works on files.
	dax)
		for disk in /sys/block/pmem*; do
			read -r size <"$disk/size"
			[ "$size" -gt 4194304 ] && disk=/dev/${disk##*/} && break
		done
		/bin/busybox mount -t ext4 -o dax=always "$disk" /dax || echo '{"error":"mount"}'
		;;
	truth) exec /bin/hftruth ;; # powers off by itself
	undax) /bin/busybox umount /dax ;;
	sh) /bin/busybox setsid /bin/busybox cttyhack /bin/busybox sh ;;
	*) /bin/hfwork "$suite" ;;
	esac
done
echo '{"end":1}'
/bin/busybox poweroff -f
