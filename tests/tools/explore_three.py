#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""`make explore-three`: each scenario of three threads and more to its end, with at most 3 preemptions or without.

    explore_three.py [SECONDS [PATTERN]]    under sc and tso, each for SECONDS (600) at most

They run under the default lifetime, in a process with the largest memory that it takes, as the states
of one are many. Status 1: one broke, or did not end; that of OPEN does not end, and may go on to.
"""

import fnmatch
import re
import subprocess
import sys

import explore_home
import explore_merge
from progress import Progress

SECONDS = 600
MEMORY = "2048"
OPEN = set()  # scenarios and models that are not known to end in ten minutes


def said(line):
    """What the process prints of one line."""
    command = [explore_home.HOST, "-m", MEMORY, *explore_home.DIMMS, "-c", line]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, errors="replace", check=False).stdout.splitlines()


def scenarios(pattern):
    """Those of three threads and devices, or more."""
    rows = (re.match(r"(\S+) +(\d)\+(\d) ", line) for line in said("explore -l"))
    return [row[1] for row in rows if row and int(row[2]) + int(row[3]) > 2 and fnmatch.fnmatchcase(row[1], pattern)]


def ends(name, model, seconds):
    """(it was safe to its end, what it came to): with the bound, or else completely."""
    for how in ("strategy=states bound=3", "strategy=dpor"):
        lines = said(f"explore {name} model={model} {how} time={seconds}")
        found = explore_merge.results(lines)
        if not found:
            return False, f"{name} {model}: {' '.join(lines[-2:])}"
        ended = found[0].bounded in ((), ("preemptions",))
        if ended or found[0].verdict != "safe":
            break
    return ended and found[0].verdict == "safe", found[0].line()


def main(args):
    seconds = explore_home.seconds(args[0]) if args else SECONDS
    pattern = args[1] if len(args) > 1 else "*"
    asked = [(name, model) for name in scenarios(pattern) for model in ("sc", "tso")]
    if not asked:
        sys.exit(f"no scenario of three threads is called {pattern}; `explore -l` in the process lists all of them")
    wrong = False
    with Progress("three threads", len(asked)) as bar:
        for name, model in asked:
            bar.step(f"{name} {model}")
            fine, line = ends(name, model, seconds)
            wrong |= not fine and ((name, model) not in OPEN or "BROKEN" in line)
            bar.print(line)
    return int(wrong)


if __name__ == "__main__":
    explore_home.end_with("explore-three", main)
