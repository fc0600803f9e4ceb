#!/bin/sh
# SPDX-License-Identifier: MIT
#
# deps.sh CONFIG [debug|format|docs|gcovr|spin|valgrind|ndctl|browser|grader|book]…: makes sure that what the build, the runs and the tests need is
# there, and writes CONFIG, the variables of the Makefile that depend on where it was found.
# deps.sh preflight: says of everything whether it is there, in which version, what it is for and which
# package has it, installs nothing and writes nothing; status 1 if something is missing or too old.
#
# What is missing is said with what it is for, and installed with apt-get, as root or through sudo when it
# asks no password. Otherwise, and for a tool of an unsuitable version, the one line on stdout says what
# would help, and the status is 1. When CONFIG is newer than this script and everything is still in its
# place, nothing but a few file look-ups happens.

config=$1
shift
groups=" $* "
# gnu-efi's start-up code: Debian 12 and 13; a multiarch system; Debian from forky on.
efi_places="/usr/lib/crt0-efi-x86_64.o /usr/lib/x86_64-linux-gnu/gnuefi/crt0-efi-x86_64.o
	/usr/lib/x86_64-linux-gnu/crt0-efi-x86_64.o"
ovmf=/usr/share/OVMF/OVMF_CODE_4M.fd
letters=/usr/share/fonts/truetype/dejavu/DejaVuSerif.ttf
newlib_places="/usr/src/newlib/newlib-*.tar.xz /usr/src/newlib-*.tar.xz"
cc=${CC:-gcc}
PATH=$PATH:/usr/sbin:/sbin

# The end, but for preflight, which tells all that is wrong.
fail()
{
	if [ "$config" = preflight ]; then
		wrong="$wrong
  $*"
		return
	fi
	echo "$*"
	exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }
found() { for f in "$@"; do [ -e "$f" ] && return; done; return 1; }

# `need PACKAGE WHAT-FOR test...`: adds PACKAGE to $missing when the test fails, and a line to $lacking.
need()
{
	package=$1 why=$2
	shift 2
	"$@" && there=yes || there=
	[ "$config" != preflight ] || report
	[ -n "$there" ] && return
	missing="$missing $package"
	lacking="$lacking
  $package: $why"
}

# The same of what only one group of targets needs, GROUP and the targets' name.
need_for()
{
	case "$groups $config " in *" $1 "* | *" preflight "*) ;; *) return 0 ;; esac
	only=$2
	shift 2
	need "$@"
	only=
}

# make takes a blank for the end of a name, and the C library's own build hands the folder's to the shell.
look_at_place()
{
	here=$(pwd)
	odd=$(printf %s "$here" | LC_ALL=C tr -d 'A-Za-z0-9_./+@%=,~\200-\377-')
	[ -z "$odd" ] || fail "the path of this folder has '$odd' in it, with which nothing can be built: $here; letters, digits and _ . / + @ % = , ~ - would do: move it, or clone anew elsewhere"
}

look()
{
	missing= lacking=
	[ "$cc" = gcc ] || have "$cc" || fail "CC=$cc is not installed; gcc 12 or newer would do"
	need gcc "compiles all of it" have "$cc"
	need binutils "links it" have objcopy
	need libc6-dev "what runs on this system" found /usr/include/elf.h
	need make "says what is to be built" have make
	need nasm "assembles the first instructions and entry code" have nasm
	need newlib-source "the C library inside the kernel" found $newlib_places
	need xz-utils "unpacks that library" have xz
	need gnu-efi "the start of our EFI loader" found $efi_places
	need qemu-system-x86 "the machine" have qemu-system-x86_64
	need ovmf "the machine's UEFI firmware" found $ovmf
	need grub-common "makes a medium to boot from" have grub-mkrescue
	need grub-pc-bin "GRUB for BIOS" found /usr/lib/grub/i386-pc/multiboot2.mod
	need grub-efi-amd64-bin "GRUB for UEFI" found /usr/lib/grub/x86_64-efi/multiboot2.mod
	need xorriso "writes that medium" have xorriso
	need mtools "writes its EFI part" have mformat
	need e2fsprogs "makes and checks file systems" have mkfs.ext4
	need python3 "starts the machine" found /usr/bin/python3
	need python3-pytest "runs the tests" found /usr/lib/python3/dist-packages/pytest
	need python3-pexpect "types in the tests" found /usr/lib/python3/dist-packages/pexpect
	need python3-pytest-xdist "runs tests beside each other" found /usr/lib/python3/dist-packages/xdist
	need libcmocka-dev "unit tests on this system" found /usr/include/cmocka.h
	need_for debug "make debug, make test" gdb "looks into the machine" have gdb
	need_for docs "make docs" graphviz "draws diagrams" have dot
	need_for gcovr "make coverage" gcovr "counts lines that tests reach" have gcovr
	need_for spin "make explore-peer" spin "checks the protocols' models" have spin
	need_for valgrind "make host-valgrind, make test" valgrind "counts instructions, looks at accesses" have valgrind
	need_for browser "make show-check, make explain-check" chromium-headless-shell "shows the pages" browser
	need_for ndctl "make test" ndctl "writes and reads info blocks" have ndctl
	need_for grader "make grade-all, make test" bubblewrap "keeps submissions apart" have bwrap
	need_for grader "make grade-all, make test" parallel "grades some at once" have parallel
	need_for grader "make grade-all, make test" patch "reads submissions that are patches" have patch
	need_for book "make book" pandoc "makes HTML of the book" have pandoc
	need_for book "make book" weasyprint "makes a PDF of it" have weasyprint
	need_for book "make book" fonts-dejavu-core "the letters of both" found $letters
	need_for book "make test-book" poppler-utils "looks into the PDF" have pdftotext
	need_for format "make format" clang-format "lays out C files" have clang-format
	missing=$(echo $missing)
}

browser() { have chromium || have chromium-headless-shell; }

install_missing()
{
	command="apt-get update && apt-get install -y --no-install-recommends $missing"
	if ! have apt-get; then
		fail "missing (names of Debian packages): $missing"
	elif [ "$(id -u)" = 0 ]; then
		sudo=
	elif have sudo && sudo -n true 2>/dev/null; then
		sudo="sudo -n"
	else
		fail "packages are missing; run: sudo sh -c '$command'"
	fi
	echo "what is missing, and what it is for:$lacking" >&2
	echo "installing: $missing" >&2
	$sudo sh -c "export DEBIAN_FRONTEND=noninteractive; $command" </dev/null >&2 ||
		fail "installing failed; by hand: sudo sh -c '$command'"
}

package_version() { dpkg-query -W -f='${Version}' "$1" 2>/dev/null; }

# A package that is there and lacks what is looked for is of another age, or another distribution's.
still_missing()
{
	for package in $missing; do
		is=$(package_version "$package")
		list="$list $package${is:+ (version $is has not what is needed)}"
	done
	fail "still missing after the installation:$list; Debian 12 and 13 have what is needed"
}

# `version TOOL MINIMUM TEXT`: the first number like 12.2 in TEXT must be at least MINIMUM.
version()
{
	have "$1" && at_least "$@"
	return 0
}

at_least()
{
	is=$(echo "$3" | grep -oE '[0-9]+\.[0-9]+(\.[0-9]+)?' | head -n 1)
	if [ -z "$is" ]; then
		fail "$1 says \"$3\" of its version; $2 or newer is needed (Debian 12 and 13 have it)"
		return
	fi
	lowest=$(printf '%s\n%s\n' "$2" "$is" | sort -V | head -n 1)
	[ "$lowest" = "$2" ] || too_old "$1" "$is" "$2"
}

too_old() { fail "$1 is version $2; $3 or newer is needed (Debian 12 and 13 have it)"; }

check_versions()
{
	version "$cc" 12.0 "$($cc -dumpfullversion -dumpversion)"
	[ "$($cc -dumpmachine | cut -d- -f1)" = x86_64 ] || ! have "$cc" ||
		fail "$cc compiles for $($cc -dumpmachine); a compiler for x86_64 is needed (make CC=...)"
	version make 4.0 "$(make --version | head -n 1)"
	version nasm 2.15 "$(nasm -v)"
	version /usr/bin/python3 3.9 "$(/usr/bin/python3 --version)"
	version grub-mkrescue 2.06 "$(grub-mkrescue --version)"
	package gnu-efi 3.0.15
	package ovmf 2022.11
	case $newlib in
	''|*/newlib-3.[3-9]*|*/newlib-4.*) ;;
	*) fail "$newlib is neither newlib 3.3 or newer nor newlib 4; Debian 12 (3.3.0) and 13 (4.5.0) have one" ;;
	esac
}

# `package NAME MINIMUM`, for files without a version in them, where there is a dpkg. A version like
# 0~20181115.85588389 was made before the package had any.
package()
{
	is=$(package_version "$1")
	case $is in
	'') ;;
	0~*) too_old "$1" "$is" "$2" ;;
	*) at_least "$1" "$2" "$is" ;;
	esac
}

first() { for f in "$@"; do [ -e "$f" ] && echo "$f" && return; done; }

# The files whose versions are asked, one a line: on another PATH they are others.
checked()
{
	for tool in "$cc" make nasm grub-mkrescue /usr/bin/python3; do
		command -v "$tool"
	done
	first $newlib_places
	first $efi_places
	echo "$ovmf"
}

# $config is about these files, and was written after this script and they came.
still_true()
{
	grep -qxF "CHECKED := $cc $(checked | tr '\n' ' ')" "$config" 2>/dev/null || return
	set -- -H "$config" -newer "$0"
	while read -r file; do
		set -- "$@" -newermc "$file"
	done <<-END
		$(checked)
	END
	[ -n "$(find "$@")" ]
}

# The library in build/newlib says its own version. One of another version makes room, and is kept
# beside it under that version's name; one of the right version that is kept there comes back.
choose_newlib()
{
	built=$(sed -n 's/^#define _NEWLIB_VERSION "\(.*\)"/\1/p' \
		"$base"/newlib/x86_64-elf/include/_newlib_version.h 2>/dev/null)
	[ -n "$built" ] || return 0
	case $newlib in
	*/newlib-$built[.-]*) return ;;
	esac
	rm -rf "$base/newlib-$built" && mv "$base/newlib" "$base/newlib-$built"
	for kept in "$base"/newlib-[0-9]*; do
		case $newlib in
		*/${kept##*/}[.-]*) mv "$kept" "$base/newlib"; return ;;
		esac
	done
}

# What every object depends on: rewritten only when a version changed.
note_toolchain()
{
	versions="$cc $($cc -dumpfullversion), $newlib"
	echo "$versions" | cmp -s - "$base/toolchain" || echo "$versions" >"$base/toolchain"
}

# ---- the report

# One line of it: what $package has, for what, and whether it is there.
report()
{
	state=ok
	[ -n "$there" ] || state=missing
	printf '  %-8s %-24s %-26s %s%s\n' "$state" "$package" "$(package_version "$package" | cut -c1-25)" \
		"$why" "${only:+ (only for $only)}"
}

# Status 1: something is missing that every build needs, or is too old. What only some targets need
# is in the list alone.
preflight()
{
	wrong=
	echo "What the build, the machine and the tests need, by Debian package:"
	look_at_place
	look
	for package in $missing; do
		case " gdb graphviz gcovr spin valgrind ndctl chromium-headless-shell clang-format " in
		*" $package "*) ;;
		*) needed="$needed $package" ;;
		esac
	done
	newlib=$(first $newlib_places)
	check_versions 2>/dev/null
	version qemu-system-x86_64 7.2 "$(qemu-system-x86_64 --version 2>/dev/null | head -n 1)"
	[ -z "$wrong" ] || echo "What is there and of no use:$wrong"
	[ -z "$needed" ] || echo "make installs, as root or with sudo:$needed"
	[ -n "$needed$wrong" ] || echo "Nothing is missing that a build needs, and nothing is too old."
	[ -z "$needed$wrong" ]
}

if [ "$config" = preflight ]; then
	preflight
	exit
fi
look_at_place
look
if [ -z "$missing" ] && still_true; then
	exit 0
fi
[ -z "$missing" ] || { install_missing; look; }
[ -z "$missing" ] || still_missing

newlib=$(first $newlib_places)
check_versions
efi=$(first $efi_places)
base=$(dirname "$config")
mkdir -p "$base"
choose_newlib
note_toolchain
cat >"$config" <<END
CHECKED := $cc $(checked | tr '\n' ' ')
NEWLIB_TAR := $newlib
EFI_LIB := $(dirname "$efi")
EFI_INC := /usr/include/efi
END
