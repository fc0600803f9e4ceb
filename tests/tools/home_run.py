#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""`make host-check`, `make coverage`: runs a home's commands and says how far its self-tests are.

    home_run.py PROGRAM COMMANDS

What it prints is kept in run.txt beside the program. On the terminal come the tests that failed and a panic, with what stood
before them, and the last two lines; at a terminal a bar meanwhile. The status is the program's.
"""

import collections
import os
import re
import subprocess
import sys

import explore_home
from progress import Progress

PLAN = re.compile(r"1\.\.(\d+)$")
TEST = re.compile(r"(?:not )?ok \d+ (\S+)")
COMMAND = re.compile(r"> (.*)")
FAILED = re.compile(r"not ok |PANIC")
BEFORE, LAST = 3, 2  # lines


def follow(lines, bar):
    """Steps the bar by each test that is over; yields what is worth a line, and at last the last ones."""
    untold = collections.deque(maxlen=BEFORE + 1)
    for line in lines:
        line = line.rstrip("\n")
        plan, test, command = PLAN.match(line), TEST.match(line), COMMAND.match(line)
        if plan:
            bar.of, bar.done = int(plan[1]), 0
        elif command:
            bar.of = 0
            bar.rename(command[1])
        elif test:
            bar.step(f"after {test[1]}")
        untold.append(line)
        if FAILED.match(line):
            yield from untold
            untold.clear()
    yield from list(untold)[-LAST:]


def main(argv):
    """Runs it; value: its status."""
    program, commands = argv[1:]
    with open(os.path.join(os.path.dirname(program), "run.txt"), "w", encoding="utf-8") as kept, \
            subprocess.Popen([program, "-c", commands], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                             errors="replace") as home, Progress(os.path.basename(os.path.dirname(program))) as bar:
        def lines():
            for line in home.stdout:
                kept.write(line)
                yield line
        for line in follow(lines(), bar):
            bar.print(line)
    return home.returncode if home.returncode >= 0 else 128 - home.returncode


if __name__ == "__main__":
    explore_home.end_with("host-check", lambda words: main(["", *words]), "run.txt has what was printed")
