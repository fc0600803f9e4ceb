#!/bin/sh
# SPDX-License-Identifier: MIT
#
# pytest.sh PATH...: runs the tests there, two at a time,
# leaving nothing behind outside build/. pytest's own summary is the last thing printed, its status
# is ours.

export PYTHONDONTWRITEBYTECODE=1
# The variables of `make run` would change the machines that the tests describe themselves.
unset BOOT SMP MEM CPU PMEM QEMU_ARGS ICOUNT GDB DEBUG TIMEOUT CMD APPEND
exec /usr/bin/python3 -m pytest -p no:cacheprovider -n "${JOBS:-2}" --dist loadgroup -q -ra "$@"
