#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""`make explore-count`: instructions that an execution costs, and where they go.

    explore_count.py                writes the tables of docs/explorer.md
    explore_count.py SCENARIO…      counts these, in the home that is a process, and writes nothing
    explore_count.py -v SCENARIO    of one, what each function takes

Each scenario is explored twice under cachegrind, which counts every instruction of the process: up to
half of its executions, and up to all of them (at most 2 × MOST). The difference of the two counts,
divided by that of the executions, is what one costs: the start of the machine, the set-up and
what the first executions learn are in both, and cancel. The same by brute force, up to MOST_BRUTE executions and
twice as many: there an execution differs from the one before in its last events, while DPOR runs few, far apart.
The kernel's own table is explore_count_kernel.py's. Before it the same process explores the first
WARM executions, which is in both as well: valgrind translates the code then, for half a second, behind which an
exploration would look at the machine around it, and begin with its first event again. Status 1: one is above its
limit (LIMITS, and what is aimed at: AIM, AIM_TABLES).
"""

import collections
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

import explore_count_kernel
import explore_home
import explore_table
from progress import Progress

ROOT = explore_home.ROOT
DIMMS = ["-m", "64", "-p", "-,size=64M,scratch"]  # under valgrind the boot is what takes time
# Without the last three words a page fault finds registers of earlier, or a call that is made twice.
CACHEGRIND = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--vex-guest-chase=no", "--px-default=allregs-at-mem-access",
              "--px-file-backed=allregs-at-mem-access"]
MOST = 400
MOST_BRUTE = 2000
AIM, AIM_TABLES = 20000, 100000  # of some 40 events; with changes of page tables
WARM = 15  # executions; behind the sixteenth is the first look at the clock (BREATHE_SLOWLY in run.c)
# By DPOR, a seventh above what was measured: another gcc may take as many more. file.gup-gup: what is aimed at.
LIMITS = {"wait.message": 18900, "page.put-wait": 14800, "wait.ping-pong": 16700, "file.gup-gup": 20000,
          "lock.mutex": 19000, "peer.busy": 45300, "tlb.store-protect": 30700, "page.put-truncate": 36900}
# Two threads, 35 to 47 events, no table of pages changed: all that there are, with file.gup-gup.
NEAR_FORTY = ["huge.gup-gup", "gup.slow-fast", "ref.kill-get", "lease.unlock-break", "lease.set-break", "rwsem.read-write",
              "rwsem.write-write", "peer.percpu-ref", "entry.unlock-at", "entry.two-lock", "file.append-append"]
CHANGE_TABLES = ["tlb.store-protect", "page.put-truncate", "space.store-move"]
LINE = re.compile(r"^explore \S+ .*, (\d+) executions,", re.M)
MEAN = re.compile(r"^ +\d+ executions/s, \d+ ns and (\d+) events an execution; (\d+) more", re.M)
# Of the source files, what each is about; all others are the code under test and its libraries.
PARTS = {
    "plain accesses: races, the log of what was before": "hooks.c plain.h race.c sync.c undo.c shared.c freed.c",
    "moments: what is kept, and gone back to": "moment.c moment.h",
    "what happened before what, what is owed": "commit.c dpor.c owed.c owed.h chains.c halts.c search.h",
    "whose turn it is, changes of stack": "point.c enabled.c strategy.c alone.c noted.c noted.h held_back.c states.c",
    "places, clocks, hashes, in line in all of these": "internal.h clocks.h",
    "threads, set-up, what came out": "actors.c alike.c arena.c outcomes.c rule.c run.c shorten.c mmu.c timers.c tso.c home.c home_host.c",
    "locks, sleeps, interrupts, copies": "wrap_irq.c wrap_lock.c wrap_memory.c wrap_sched.c wrap_report.c",
}
CODE = "the code itself, and its libraries"

Count = collections.namedtuple("Count", "executions events instructions files functions")
Cost = collections.namedtuple("Cost", "executions events instructions parts functions")
Row = collections.namedtuple("Row", "dpor brute")  # a Cost each


def explored(name, runs, before=()):
    """(executions, known ones included; events of one), of what the explorer printed last. `name`: perhaps with
    words of `explore` behind it; `runs`: at most so many executions, 0: all."""
    commands = f"explore {name} runs={WARM}; explore {name} runs={runs}"
    done = subprocess.run([*before, explore_home.HOST, *DIMMS, "-c", commands], cwd=ROOT, text=True, errors="replace",
                          check=False, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    lines, means = LINE.findall(done.stdout), MEAN.findall(done.stdout)
    if len(lines) != 2 or len(means) != 2:
        sys.exit(f"{name} was not explored:\n{done.stdout}{done.stderr}")
    events, known = means[1]
    return int(lines[1]) + int(known), int(events)


def sums(path):
    """({file: instructions}, {function: instructions}) of a file that cachegrind wrote."""
    files, functions = collections.Counter(), collections.Counter()
    file = function = ""
    with open(path, encoding="utf-8", errors="replace") as stream:
        for line in stream:
            key, _, name = line.rstrip().partition("=")
            if key in ("fl", "fi", "fe"):
                file = name
            elif key == "fn":
                function = name
            elif line[0].isdigit() or line[0] in "+-*":
                cost = int(line.split()[1])
                files[file] += cost
                functions[function] += cost
    return files, functions


def counted(name, runs):
    """So many executions of a scenario, counted; twice, since now and then one takes long enough for a look at the
    machine around, and begins with its first event."""
    return min((counted_once(name, runs) for _ in range(2)), key=lambda count: count.instructions)


def counted_once(name, runs):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "out")
        executions, events = explored(name, runs, CACHEGRIND + [f"--cachegrind-out-file={path}"])
        files, functions = sums(path)
    return Count(executions, events, sum(files.values()), files, functions)


def part_of(path):
    for part, names in PARTS.items():
        if "/tests/explore/" in path and os.path.basename(path) in names.split():
            return part
    return CODE


def cost(name, most=MOST):
    """What an execution of a scenario costs, of those in the second half."""
    half = min(explored(name, 2 * most)[0] // 2, most)
    one, two = counted(name, half), counted(name, 2 * half)
    n = two.executions - one.executions
    parts, functions = collections.Counter(), collections.Counter()
    for path in two.files:
        parts[part_of(path)] += (two.files[path] - one.files[path]) / n
    for function in two.functions:
        functions[function] += (two.functions[function] - one.functions[function]) / n
    return Cost(n, two.events, round((two.instructions - one.instructions) / n), parts, functions)


def row(name):
    return Row(cost(name), cost(f"{name} strategy=brute", MOST_BRUTE))


def rows(names):
    """{scenario: what it costs by either strategy}."""
    with Progress("counting", len(names)) as bar, ThreadPoolExecutor(os.cpu_count()) as pool:
        found = {}
        for name, one in zip(names, pool.map(row, names)):
            bar.step(name)
            found[name] = one
        return found


def figures(found):
    yield "| scenario | executions | events | instructions | an event | by brute force |"
    yield "| --- | --: | --: | --: | --: | --: |"
    for name, (c, brute) in found.items():
        yield (f"| `{name}` | {c.executions} | {c.events} | {c.instructions:,} | {c.instructions // c.events:,} "
               f"| {brute.instructions:,} |")
    told = {name: one.dpor for name, one in found.items() if name in LIMITS or len(found) == 1}
    yield ""
    yield "| in a hundredth | " + " | ".join(f"`{name}`" for name in told) + " |"
    yield "| --- |" + " --: |" * len(told)
    for part in [*PARTS, CODE]:
        yield f"| {part} | " + " | ".join(f"{100 * c.parts[part] / c.instructions:.0f}" for c in told.values()) + " |"


def above(found):
    """Those that take more than they may: by DPOR than their limit, by brute force than what is aimed at."""
    for name, one in found.items():
        if one.dpor.instructions > LIMITS.get(name, one.dpor.instructions):
            yield f"{name} by DPOR"
        if name in [*NEAR_FORTY, "file.gup-gup"] and one.brute.instructions > AIM:
            yield f"{name} by brute force"
        if name in CHANGE_TABLES and max(one.dpor.instructions, one.brute.instructions) > AIM_TABLES:
            yield name


def write_tables(found):
    """Both tables of the page. Value: what is above its limit."""
    names = [name for name in found if name not in LIMITS or name in ("file.gup-gup", *CHANGE_TABLES)]
    kernel = explore_count_kernel.explored(names)
    explore_table.write("cost", [explore_table.measured("make explore-count"), ""] + list(figures(found)))
    explore_table.write("cost-kernel", explore_count_kernel.table(kernel))
    return [*above(found), *explore_count_kernel.above(kernel, CHANGE_TABLES)]


def main(args):
    if args[:1] == ["-v"]:
        found = cost(args[1])
        for function, n in found.functions.most_common(40):
            print(f"{n:10.0f} {100 * n / found.instructions:5.1f} % {function}")
        return
    found = rows(args or list(dict.fromkeys([*LIMITS, *NEAR_FORTY, *CHANGE_TABLES])))
    wrong = list(above(found)) if args else write_tables(found)
    print("\n".join(figures(found)))
    if wrong:
        sys.exit(f"explore-count: above its limit: {', '.join(wrong)}")


if __name__ == "__main__":
    explore_home.end_with("explore-count", main)
