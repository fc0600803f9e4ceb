# SPDX-License-Identifier: MIT
"""The debug build: it is built beside the plain one, every self-test passes in it, and it finds
what its own self-tests do wrong on purpose."""

import os
import subprocess

from hf_config import ROOT
from run import run_commands
from test_selftest import Ktap

MISTAKES = ("memdebug.heap-overflow", "memdebug.heap-use-after-free", "memdebug.frame-freed-twice",
            "memdebug.slab-overflow", "lock-order.two-mutexes", "lock-order.interrupts")


def test_self_tests_in_the_debug_build(tmp_path):
    """Red zones, poison, lock order: no self-test trips over them, on two CPUs, nor does a race in
    which one thread plays the part of another that holds a lock."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    subprocess.run(["make", "-j2", "DEBUG=1"], cwd=ROOT, env=env, check=True)
    result = run_commands("selftest; race matrix-collapse; check", tmp_path, SMP=2, DEBUG=1)
    assert result.status == 0, result.text
    ktap = Ktap(result.command("selftest").output)
    assert not ktap.failed, result.text
    assert set(MISTAKES) <= set(ktap.passed), ktap.passed
    assert "lock order:" not in result.text and "\nmemory: " not in result.text, result.text
