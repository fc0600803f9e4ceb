#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""`make explore-ratio`: how many executions DPOR takes where brute force ends, beside brute force.

    explore_ratio.py [MOST]      writes the table of docs/explorer.md
    explore_ratio.py MOST NAME   of scenarios that a pattern means, and writes nothing

Every scenario is explored by brute force, under sc and the default lifetime, up to MOST executions (100,000).
Where that ends the same is done by sleep sets and by DPOR, and all three must have come to as many
outcomes. Executions that were begun and given up as known count as well. Nothing is measured in time:
another machine finds the same numbers. Brute force means that at every event each actor that can go on
does, but for the release of a lock, which is no choice for any strategy (wrap_lock.c).
"""

import collections
import fnmatch
import os
import re
import statistics
import sys

import asked
import explore
import explore_home
import explore_table
from progress import Progress

MOST = 100000
STRATEGIES = ("brute", "sleep", "dpor")
LINE = re.compile(r"^explore (\S+) .* strategy=\w+: (complete|ended|bounded \([^)]*\)), (\d+) executions, (\d+) outcomes, "
                  r"depth \d+, (\S+)", re.M)

KNOWN = re.compile(r"; (\d+) more were begun", re.M)

Row = collections.namedtuple("Row", "name brute sleep dpor outcomes")


def complete(name, strategy, most):
    """(executions, outcomes) of all orders; None: there are more than `most`, or one breaks a rule."""
    said = "\n".join(explore.said(f"explore {name} strategy={strategy} runs={most}"))
    line, known = LINE.search(said), KNOWN.search(said)
    if not line or line[2] != "complete" or line[5] != "safe":
        return None
    return int(line[3]) + int(known[1]), int(line[4])


def row(name, most):
    """What each strategy took; None: brute force did not end."""
    brute = complete(name, "brute", most)
    if not brute:
        return None
    others = {strategy: complete(name, strategy, most) for strategy in STRATEGIES[1:]}
    if any(not other or other[1] != brute[1] for other in others.values()):
        sys.exit(f"explore-ratio: {name}: brute force came to {brute}, {others}")
    return Row(name, brute[0], others["sleep"][0], others["dpor"][0], brute[1])


def ratio(one):
    return one.brute / one.dpor


def summary(rows, every, most):
    middle = statistics.median(map(ratio, rows))
    return (f"Of {every} scenarios brute force ends in {most:,} executions for {len(rows)}; of these the median takes "
            f"DPOR 1/{middle:.0f} of the executions, and sleep sets 1/{statistics.median(r.brute / r.sleep for r in rows):.0f}.")


def table(rows):
    yield "| scenario | brute force | sleep sets | DPOR | outcomes | brute force / DPOR |"
    yield "| --- | --: | --: | --: | --: | --: |"
    for one in sorted(rows, key=lambda one: (ratio(one), one.name)):
        yield f"| {one.name} | {one.brute:,} | {one.sleep:,} | {one.dpor:,} | {one.outcomes} | {ratio(one):,.1f} |"


def told(name, one, most):
    """What came of a scenario, in a line."""
    return (f"{name}: brute force {one.brute:,}, sleep sets {one.sleep:,}, DPOR {one.dpor:,}" if one else
            f"{name}: more than {most:,} by brute force, or a rule breaks")


def rows_of(names, most, jobs, bar):
    """The rows that there are, in the order of `names`; told as they come."""
    rows = [None] * len(names)

    def one(at):
        rows[at] = row(names[at], most)
        if not explore.INTERRUPTED.is_set():
            bar.print(told(names[at], rows[at], most))
            bar.step(f"after {names[at]}")

    bar.step()
    explore.each(jobs, one, len(names))
    return [found for found in rows if found]


def main(args):
    jobs = asked.jobs("explore-ratio", os.environ.get("JOBS") or "1")
    most = int(args[0]) if args else MOST
    names = [name for name in explore.scenarios("*") if fnmatch.fnmatchcase(name, args[1] if args[1:] else "*")]
    with Progress("exploring", len(names)) as bar:
        rows = rows_of(names, most, jobs, bar)
    lines = [summary(rows, len(names), most), ""] + list(table(rows))
    if not args[1:]:
        explore_table.write("ratio", [explore_table.measured("make explore-ratio"), ""] + lines)
    print(lines[0])


if __name__ == "__main__":
    explore_home.end_with("explore-ratio", main)
