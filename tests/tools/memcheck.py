#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""`make host-valgrind`: the self-tests of the home that is a process, under valgrind's memory checker.

    memcheck.py [-j JOBS] [PATTERN…]

Each group (what stands before the dot in a self-test's name) is a process of its own, with one DIMM in memory, so that what
one group leaves in the C heap is not what another one reads. PATTERN: the groups whose names fit; 'lock mm.records-*' with a
dot: these self-tests. All that was printed, and memcheck's reports with it, is kept in build/memcheck/GROUP.txt. A line for
each: what passed, failed and was skipped, and how many reports. Status 1: one failed, or memcheck has something to say.
"""

import argparse
import collections
import fnmatch
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import asked
import explore_home
from progress import Progress

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HOME = [os.path.join("build", "host", "holdfast"), "-p", "-,size=1G,scratch"]
KEPT = os.path.join("build", "memcheck")
# In this folder valgrind finds .valgrindrc: the memory checker, quiet, with what it is to leave out.
VALGRIND = ["valgrind", "--error-exitcode=9"]
REPORT = re.compile(r"^==\d+== (?! |WARNING)\S", re.M)  # the first line of each; what belongs to it is indented
RESULT = re.compile(r"^# (\d+) passed, (\d+) failed, (\d+) skipped$", re.M)
NAME = re.compile(r"^([a-z][\w-]*)\.\S+$", re.M)

Found = collections.namedtuple("Found", "name status passed failed skipped reports")


def groups(patterns):
    """{group: what of it to run}, in their order."""
    done = subprocess.run([*HOME, "-c", "selftest -l"], cwd=ROOT, stdin=subprocess.DEVNULL, text=True, errors="replace",
                          check=True, stdout=subprocess.PIPE)
    names = sorted(set(NAME.findall(done.stdout)))
    chosen = {pattern.replace("*", "all"): pattern for pattern in patterns if "." in pattern}
    chosen.update((name, f"{name}.*") for name in names
                  if not patterns or any(fnmatch.fnmatch(name, pattern) for pattern in patterns))
    return chosen


def reading(name, status, text):
    """What a run that printed `text` came to."""
    result = RESULT.search(text)
    passed, failed, skipped = map(int, result.groups()) if result else (0, 0, 0)
    return Found(name, status, passed, failed, skipped, len(REPORT.findall(text)))


def is_right(found):
    """It came to its end, nothing failed, and there is no report; to skip all is no failure."""
    return found.status in (0, 1) and found.passed + found.skipped > 0 and not found.failed and not found.reports


def run(name, what):
    path = os.path.join(ROOT, KEPT, name + ".txt")
    with open(path, "w+", encoding="utf-8", errors="replace") as kept:
        status = subprocess.run([*VALGRIND, *HOME, "-c", f"selftest {what}"], cwd=ROOT, stdin=subprocess.DEVNULL, check=False,
                                stdout=kept, stderr=subprocess.STDOUT).returncode
        kept.seek(0)
        return reading(name, status, kept.read())


def line(found):
    words = f"{found.name:12} {found.passed:3} passed, {found.failed} failed, {found.skipped} skipped, {found.reports} reports"
    return words if is_right(found) else f"{words}, status {found.status}: {os.path.join(KEPT, found.name)}.txt"


def summary(all_found):
    wrong = [found.name for found in all_found if not is_right(found)]
    return (f"memcheck: {len(all_found)} {'group' if len(all_found) == 1 else 'groups'}, {sum(f.passed for f in all_found)} passed, "
            f"{sum(f.failed for f in all_found)} failed, {sum(f.skipped for f in all_found)} skipped, "
            f"{sum(f.reports for f in all_found)} reports{': ' + ', '.join(wrong) if wrong else ''}")


def main(argv):
    words = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    words.add_argument("-j", default="1")
    words.add_argument("patterns", nargs="*")
    args = words.parse_args(argv)
    jobs = asked.jobs("host-valgrind", args.j)
    chosen = groups(args.patterns)
    if not chosen:
        sys.exit(f"host-valgrind: no group of self-tests is called {' or '.join(args.patterns)}: holdfast -c 'selftest -l' lists all")
    os.makedirs(os.path.join(ROOT, KEPT), exist_ok=True)
    all_found = []
    with Progress("memcheck", len(chosen)) as bar, ThreadPoolExecutor(jobs) as pool:
        for found in pool.map(lambda one: run(*one), chosen.items()):
            bar.step(f"after {found.name}")
            bar.print(line(found))
            all_found.append(found)
    print(summary(all_found))
    return 0 if all(is_right(found) for found in all_found) else 1


if __name__ == "__main__":
    explore_home.end_with("host-valgrind", main)
