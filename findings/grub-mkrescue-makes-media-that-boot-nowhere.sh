#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Without any of GRUB's platforms (grub-pc-bin, grub-efi-amd64-bin) grub-mkrescue ends with 0 and leaves an
# ISO of the right files that no firmware starts.
#
# grub-common, which has the command, depends on none of them. Each platform that is there adds its boot
# sector or its EFI part; of none at all nothing is said. "The ISO was made" is no sign that it boots: ask
# xorriso for its boot records, or look for the platforms first.
#
# Seen with grub-common 2.06-13+deb12u2 and xorriso 1.5.4-4 (Debian 12), in a root of their packages alone.
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
closure grub-common=2.06-13+deb12u2 xorriso=1.5.4-4 bubblewrap=0.8.0-2+deb12u1 \
	mtools=4.0.33-1+really4.0.32-1
mkdir -p tree/boot/grub out
echo 'set timeout=0' >tree/boot/grub/grub.cfg

# As if nothing else were installed: what GRUB finds lies at fixed places.
inside()
{
	unpacked bwrap --bind "$root" / --proc /proc --dev /dev --tmpfs /tmp --bind "$work/out" /out \
		--ro-bind "$work/tree" /tree --setenv PATH /usr/sbin:/usr/bin:/sbin:/bin "$@"
}
inside /usr/bin/xorriso -version >/dev/null 2>&1 || {
	echo "bwrap cannot make a root of its own here" >&2
	exit 2
}
make_iso()
{
	rm -f out/iso
	status=0
	inside /usr/bin/grub-mkrescue -o /out/iso /tree >said 2>&1 || status=$?
	echo "$status, $(inside /usr/bin/xorriso -indev /out/iso -find /boot/grub/grub.cfg 2>/dev/null |
		grep -c grub.cfg), $(inside /usr/bin/xorriso -indev /out/iso -report_el_torito plain 2>/dev/null |
		grep -c 'boot img')"
}
expect "no platform: status, the file is there, boot images" "$(make_iso)" "0, 1, 0"
expect "no platform: words about it" "$(grep -ciE 'platform|warning|error|boot image' said)" "0"
packages grub-pc-bin=2.06-13+deb12u2
expect "with grub-pc-bin" "$(make_iso)" "0, 1, 1"
