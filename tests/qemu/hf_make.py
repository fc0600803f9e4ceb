# SPDX-License-Identifier: MIT
"""What a test builds for itself, whichever worker comes first: one `make` at a time in this tree."""

import fcntl
import os
import subprocess

from hf_config import BUILD, ROOT

HOME = os.path.join(BUILD, "host", "holdfast")


def make(*words):
    """`make WORDS`, without the variables of a make around the tests."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    os.makedirs(os.path.join(BUILD, "locks"), exist_ok=True)
    with open(os.path.join(BUILD, "locks", "make"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run(["make", "-j2", *words], cwd=ROOT, env=env, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 0, done.stdout


def home(*words, **more):
    """A run of the home in a Linux process."""
    return subprocess.run([HOME, *words], cwd=ROOT, text=True, stdin=subprocess.DEVNULL, timeout=300,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, errors="replace", **more)
