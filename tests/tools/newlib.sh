#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Builds newlib from the source package of the distribution, once: newlib.sh TARBALL OUTDIR CC
# leaves OUTDIR/x86_64-elf/{include,lib/libc.a}. More arguments are flags for the compiler, after the
# kernel's own. Progress goes to stderr, file by file of how many, everything the build
# says to OUTDIR.log, of which the tail is shown when a step fails.

tarball=$1 out=$2 cc=$3
tools=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$out"
out=$(cd "$out" && pwd)
log=$out.log
work=$out.work
jobs=$(nproc 2>/dev/null || echo 1)

step()
{
	echo "newlib: $1" >&2
	shift
	if ! "$@" >>"$log" 2>&1; then
		echo "newlib: this step failed; the last lines of $log:" >&2
		tail -n 20 "$log" >&2
		exit 1
	fi
}

unpack()
{
	rm -rf "$work" && mkdir -p "$work/obj" &&
	tar -xJf "$tarball" -C "$work" &&
	src=$(echo "$work"/newlib-*) && [ -x "$src/configure" ] && mv "$src" "$work/src"
}

# Floating-point output is off (the kernel owns no SSE state); locks and the reentrancy structure
# are ours to supply. nano-formatted-io stays off: it does not know %llx and %zu.
options='--disable-multilib --disable-newlib-supplied-syscalls --disable-newlib-io-float
	--enable-newlib-io-long-long --enable-newlib-io-c99-formats --enable-newlib-reent-small
	--enable-newlib-retargetable-locking --enable-newlib-global-stdio-streams
	--disable-newlib-wide-orient --disable-newlib-fvwrite-in-streamio
	--disable-newlib-unbuf-stream-opt --enable-lite-exit'
cflags='-O2 -g0 -ffunction-sections -fdata-sections -D__DYNAMIC_REENT__'

# newlib 3 is not configured, and little of it is compiled: forty configure scripts and six hundred
# objects take a minute, and the kernel links sixty. Its two generated headers are made here, with what
# the options above come to for this target; every other header is used as it comes. libc.a has the
# functions named here: what is called and not among them, the link names as undefined.
values='_WANT_IO_C99_FORMATS _WANT_IO_LONG_LONG _WANT_REENT_SMALL _REENT_CHECK_VERIFY _MB_LEN_MAX
	HAVE_INITFINI_ARRAY _ATEXIT_DYNAMIC_ALLOC _HAVE_LONG_DOUBLE _FSEEK_OPTIMIZATION _LITE_EXIT
	_HAVE_CC_INHIBIT_LOOP_TO_LIBCALL _WANT_REENT_GLOBAL_STDIO_STREAMS _RETARGETABLE_LOCKING'
defines='-fno-builtin -D__NO_SYSCALLS__ -DNO_FLOATING_POINT -DMISSING_SYSCALL_NAMES -DHAVE_INIT_FINI'
of_string='memccpy memchr memcmp memmem memmove memrchr stpcpy strcasecmp strcat strchr strchrnul strcmp
	strcpy strcspn strdup strdup_r strlcat strlcpy strlen strncasecmp strncat strncmp strncpy strndup
	strndup_r strnlen strpbrk strrchr strsep strspn strstr strtok_r'
of_stdlib='abs atoi atol calloc div labs ldiv llabs lldiv malign malloc mbtowc_r mlock msize realloc strtol
	strtoll strtoul strtoull wctomb_r'
of_stdio='fflush findfp fwalk snprintf sprintf stdio vsnprintf vsprintf'
of_ctype='ctype_ isalnum isalpha isdigit islower isprint isspace isupper isxdigit tolower toupper'
of_reent='closer impure lseekr readr reent sbrkr writer'
of_search='bsearch qsort'
of_locale='locale localeconv'
of_errno='errno'
of_machine='memcpy memset setjmp'

# `fill NAME[=VALUE]… <HEADER.hin`: each `#undef NAME` becomes a definition (as 1), or a comment.
fill()
{
	awk -v given="$*" 'BEGIN { n = split(given, g, " ")
		for (i = 1; i <= n; i++) value[split(g[i], w, "=") ? w[1] : ""] = w[2] == "" ? 1 : w[2] }
		!/^#undef/ { print; next }
		$2 in value { print "#define", $2, value[$2]; next }
		{ print "/* #undef " $2 " */" }'
}

version_of()
{
	sed -n "s/.*m4_define(\[NEWLIB_$1_VERSION\],\[\([0-9]*\)\]).*/\1/p" "$work/src/newlib/acinclude.m4"
}

configure_3()
{
	include=$out/x86_64-elf/include libc=$work/src/newlib/libc
	mkdir -p "$include" "$out/x86_64-elf/lib" &&
	cp -r "$libc/include/." "$libc/machine/x86_64/sys" "$include" &&
	fill $values <"$work/src/newlib/newlib.hin" \
		>"$include/newlib.h" &&
	major=$(version_of MAJOR) minor=$(version_of MINOR) level=$(version_of PATCHLEVEL) &&
	[ "$major$minor$level" ] &&
	fill "_NEWLIB_VERSION=\"$major.$minor.$level\"" "__NEWLIB__=$major" "__NEWLIB_MINOR__=$minor" \
		"__NEWLIB_PATCHLEVEL__=$level" <"$work/src/newlib/_newlib_version.hin" \
		>"$include/_newlib_version.h"
}

# `rule NAME FOLDER/FILE [FLAG…]`: an object of libc.a, as a rule of make.
rule()
{
	object=$1.o source=$libc/$2 number=$((number + 1))
	shift 2
	echo "libc.a: $object"
	printf '%s\n' "$object: ; printf '  CC      [%2d/OF] newlib, %s\\n' $number ${source#*/src/newlib/} >&3; $kcc -isystem $include \
		-I${source%/*} $defines $cflags $* -c $source -o $object"
}

rules_3()
{
	echo 'libc.a: ; rm -f $@ && ar cr $@ $^'
	for name in $of_machine; do rule $name machine/x86_64/$name.S; done
	for name in $of_string; do rule $name string/$name.c; done
	for name in $of_stdlib; do rule $name stdlib/$name.c; done
	for name in $of_stdio; do rule $name stdio/$name.c; done
	for name in $of_ctype; do rule $name ctype/$name.c; done
	for name in $of_reent; do rule $name reent/$name.c; done
	for name in $of_search; do rule $name search/$name.c; done
	for name in $of_locale; do rule $name locale/$name.c; done
	for name in $of_errno; do rule $name errno/$name.c; done
	rule svfprintf stdio/vfprintf.c -DSTRING_ONLY
	rule svfiprintf stdio/vfprintf.c -DSTRING_ONLY -DINTEGER_ONLY
	rule mallocr stdlib/mallocr.c -DINTERNAL_NEWLIB -DDEFINE_MALLOC
	rule freer stdlib/mallocr.c -DINTERNAL_NEWLIB -DDEFINE_FREE
	rule reallocr stdlib/mallocr.c -DINTERNAL_NEWLIB -DDEFINE_REALLOC
	rule callocr stdlib/mallocr.c -DINTERNAL_NEWLIB -DDEFINE_CALLOC
	rule malignr stdlib/mallocr.c -DINTERNAL_NEWLIB -DDEFINE_MEMALIGN
	rule msizer stdlib/mallocr.c -DINTERNAL_NEWLIB -DDEFINE_MALLOC_USABLE_SIZE
}

compile_3()
{
	kcc="$cc $(sed -n '/^flags="/,/"$/{s/^flags=//;s/"//g;p}' "$tools/kcc" | tr '\n' ' ') $HF_MORE"
	cd "$work/obj" && rules_3 >rules && sed "s|/OF]|/$(grep -c '/OF]' rules)]|" rules >Makefile &&
	make -j"$jobs" libc.a
}

install_3()
{
	cp "$work/obj/libc.a" "$out/x86_64-elf/lib"
}

# newlib 4 has one Makefile for everything. Its own configure is called, not the one above it, and
# without dependencies, of which it would make a file for each of 2500 objects. libc.a is made of
# the objects in the folders named here, without text of wide characters; by itself it would wait
# for libm, 441 objects, for two dozen functions on doubles.
folders='stdlib|string|stdio|ctype|errno|locale|misc|reent|search|machine/x86_64'
wide='(string|stdio|ctype)/[^/]*-(w|f?(get|put|unget)w|.*wc|.*w(printf|scanf)|isw|tow)'

configure_4()
{
	cd "$work/obj" && ../src/newlib/configure --host=x86_64-elf --prefix="$out" \
		--disable-dependency-tracking $options AR=ar RANLIB=ranlib AS=as LD=ld NM=nm \
		STRIP=strip OBJDUMP=objdump READELF=readelf MAKEINFO=true CFLAGS="$cflags" \
		CC="$tools/kcc -isystem $work/obj/targ-include -isystem $work/src/newlib/libc/include"
}

# `libc_4 GOAL`: make GOAL, with the objects chosen above and no others.
libc_4()
{
	all=$(printf 'include Makefile\nlist: ; @echo $(libc_a_OBJECTS)\n' | make -sf - list) &&
	chosen=$(for o in $all; do echo "$o"; done | grep -E "^libc/($folders)/" |
		 grep -vE "$wide" | tr '\n' ' ') &&
	export HF_OF="$(echo $chosen | wc -w)" &&
	make -j"$jobs" "$1" libc_a_OBJECTS="$chosen" libc_a_DEPENDENCIES= MATHOBJS_IN_LIBC= \
		toollib_LIBRARIES=libc.a
}

compile_4()
{
	export HF_BEGUN="$work/begun" # kcc counts there
	libc_4 libc.a
}

install_4() { libc_4 install-data-local; }

configure()
{
	if [ -e "$work/src/newlib/libc/configure" ]; then how=3; else how=4; fi
	configure_$how
}

compile() { compile_$how; }

install_it()
{
	install_$how && test -f "$out/x86_64-elf/lib/libc.a"
}

# The make that called us must not hand its flags, job server or variables on.
unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL CMD BOOT CPU MEM SMP PMEM
shift 3
export HF_CC="$cc" HF_MORE="$*"
: >"$log"
exec 3>&2
step "unpack $(basename "$tarball") (1 of 4)" unpack
step "headers and rules (2 of 4)" configure
step "compile (3 of 4)" compile
step "install (4 of 4)" install_it
rm -rf "$work"
