# SPDX-License-Identifier: MIT
"""What an execution costs in the home that is the kernel: guest instructions, of `make explore-count`.

One machine with ICOUNT=1, where a nanosecond is an instruction, explores each scenario by DPOR, to its end, and by brute
force, up to MOST executions. What it prints as the time of an execution is the mean of all: the set-up and
the first executions are in it, which learn.
"""

import re
import subprocess
import sys

import explore_home
from progress import Progress

MOST = 2000
AIM, AIM_TABLES = 40000, 200000  # of some 40 events, by brute force; with changes of page tables
SECONDS = 600  # for all of them; it takes one
MEAN = re.compile(r"^ +\d+ executions/s, (\d+) ns and (\d+) events an execution;", re.M)


def explored(names):
    """{scenario: ((instructions, events) by DPOR, the same by brute force)}."""
    commands = "; ".join(f"explore {name}; explore {name} strategy=brute runs={MOST}" for name in names)
    with Progress("counting in QEMU"):
        done = subprocess.run(["make", "-s", "run", "EXPLORE=1", "ICOUNT=1", f"TIMEOUT={SECONDS}", f"CMD={commands}; poweroff"],
                              cwd=explore_home.ROOT, text=True, errors="replace", check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    means = [(int(ns), int(events)) for ns, events in MEAN.findall(done.stdout)]
    if len(means) != 2 * len(names):
        sys.exit(f"explore-count: not all of it was explored in the kernel:\n{done.stdout}{done.stderr}")
    return dict(zip(names, zip(means[::2], means[1::2])))


def table(found):
    """Lines of the page."""
    yield "| scenario | events | instructions | an event | by brute force |"
    yield "| --- | --: | --: | --: | --: |"
    for name, ((instructions, events), (brute, _)) in found.items():
        yield f"| `{name}` | {events} | {instructions:,} | {instructions // events:,} | {brute:,} |"


def above(found, change_tables):
    """Those that take more than is aimed at: by brute force, and with changes of page tables by DPOR as well."""
    for name, ((instructions, _), (brute, _)) in found.items():
        if max(brute, instructions) > AIM_TABLES if name in change_tables else brute > AIM:
            yield f"{name} in the kernel"
