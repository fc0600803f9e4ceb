#!/bin/sh
# SPDX-License-Identifier: MIT
#
# pytest.sh PATH...: runs the tests there, five at a time (JOBS=5): a machine waits for its slow
# devices half of the time. pytest's own summary is the last thing printed, its status is ours.
# With ONLY=quick those that `make quick` takes (tests/qemu/hf_order.py).

case ${JOBS:-5} in
*[!0-9]*) echo "JOBS=$JOBS is no number of tests at a time: 1 or more" >&2; exit 2 ;;
esac
export PYTHONDONTWRITEBYTECODE=1
# The variables of `make run` would change the machines that the tests describe themselves.
# QEMU and QEMU2 stay: they choose what the machines run on.
unset BOOT SMP MEM CPU PMEM QEMU_ARGS ICOUNT GDB DEBUG EXPLORE TIMEOUT CMD APPEND
# Images lie in memory, where there is plenty of it: a store into a hole of a file on a disk has the
# host clear up to 2 MiB around it, which is a third of the work of a run of all self-tests.
free=$(df -k --output=avail /dev/shm 2>/dev/null | tail -1)
mem=$(sed -n 's/^MemAvailable: *\([0-9]*\) kB/\1/p' /proc/meminfo 2>/dev/null)
if [ -z "$TMPDIR" ] && [ -w /dev/shm ] && [ "${free:-0}" -ge 3000000 ] && [ "${mem:-0}" -ge 5000000 ]; then
	export TMPDIR=/dev/shm
fi
exec /usr/bin/python3 -m pytest -p no:cacheprovider -n "${JOBS:-5}" --dist loadgroup -q -ra "$@"
