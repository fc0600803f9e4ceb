#!/bin/sh
# SPDX-License-Identifier: MIT
#
# `sim_c -p` (similarity-tester), which says how much of a file is another's, says it of each piece of
# text once: of three copies the first is the second's and the second is the third's, and that the
# first and the third are one text is not said. Whoever looks for what two submissions share misses
# pairs, more of them the more took part. With -e each pair is compared for itself, with -a as well
# both ways round: `sim_c -a -e -p`.
#
# Seen with similarity-tester 3.0.2-1+b1 (Debian 12).
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
packages similarity-tester=3.0.2-1+b1

for copy in one two three; do
	cat >$copy.c <<'END'
int sum(int n) { int s = 0; for (int i = 0; i < n; i++) { if (i % 3 == 0) s += i; else s -= i; } return s; }
int half(int a) { while (a > 10) { a /= 2; if (a & 1) a--; } return a * 2 + 1; }
END
done
# pairs OPTION …: who consists for 100 % of whom, in one line.
pairs() { sim_c "$@" one.c two.c three.c | sed -n 's/\.c consists for 100 % of \(.*\)\.c material/>\1/p' | sort | tr '\n' ' '; }

expect "sim_c -p" "$(pairs -p)" "one>two two>three "
expect "sim_c -e -p" "$(pairs -e -p)" "one>three one>two two>three "
expect "sim_c -a -e -p" "$(pairs -a -e -p)" "one>three one>two three>one three>two two>one two>three "
