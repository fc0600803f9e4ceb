#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""`make museum`: is every fault of the museum found, and nothing where there is none?

    museum.py [NAME …]      these faults only

A fault is a switch (MUSEUM and MUSEUM_EXPLORED in the sources), or a weakness that is a design (the
table in docs/weaknesses.md). Its label says what finds it:

    found by explore X …    every order of events: strategy, executions and the time to the first
                            finding are shown. In a Linux process; WHERE=kernel: in QEMU
    shown by race X         one order of events, by script
    shown by selftest X     a test

Each is played with the fault, and once without any. Unattended: a machine that dies is begun anew
behind the fault that killed it. The last line is `museum: N of N found, M false alarms`; status 0:
all were found, and nothing else.
"""

import collections
import glob
import os
import re
import subprocess
import sys
import time

import asked
import explore_home
from progress import Progress

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FLOORS = ("boot", "kernel", "mm", "drivers", "dax", "tests/kernel")
TEST = re.compile(r"\b([a-z0-9]+\.[a-z][a-z0-9-]+(?:\.[a-z0-9-]+)*)\b")
RACE = re.compile(r"\brace ((?:[A-GL]-\d+(?:-[a-z]+)*|[a-z]+-[a-z-]+)(?: lifetime=[a-z-]+)?)"
                  r"(?: \((HUNG|BROKEN) (I[1-7])\))?")
EXPLORE = re.compile(r"\bexplore ([a-z]+\.[a-z0-9-]+)((?: [a-z]+=[a-z0-9-]+)*)( \(race\))?")
DESIGN = re.compile(r"^\| ([A-G]-\d+) \| `lifetime=([a-z-]+)` \| `race (\S+)` \| (\S+) (I\d) \|$", re.M)
# How a machine's serial line shows commands (tests/qemu/hf_command.py).
BEGIN, END = re.compile(r"^> (.*?)\r?$"), re.compile(r"^\[status (-?\d+)\]\r?$")
TOGETHER = 8  # faults a machine of the plain build
SECONDS = {"plain": 400, "explore": 3000}
LIMIT = 60  # seconds for one exploration

Fault = collections.namedtuple("Fault", "name command build switch race")
Outcome = collections.namedtuple("Outcome", "status seconds text")


def labels(macro="MUSEUM"):
    """{name: label} of every exhibit in the sources."""
    found = {}
    for folder in FLOORS:
        for path in glob.glob(os.path.join(ROOT, folder, "**", "*.c"), recursive=True):
            with open(path, encoding="utf-8") as source:
                text = source.read()
            for match in re.finditer(rf'^{macro}\(\s*\w+,\s*"([^"]+)",((?:\s*"[^"]*")+)\)', text, re.M):
                found[match.group(1)] = "".join(re.findall(r'"([^"]*)"', match.group(2)))
    return found


def demonstrations(label):
    """(command, verdict) for every self-test and race that a label promises."""
    label = EXPLORE.sub("", label)
    for test in TEST.findall(label):
        yield f"selftest {test}", "not ok"
    for race, word, rule in RACE.findall(label):
        yield f"race {race}", f"{word} {rule}" if word else ""


def is_fault(label):
    """Not what the tests of the runner itself are for."""
    return "never ends" not in label and "should not" not in label


def switches():
    """The faults with a switch: what finds them, the explorer first."""
    for name, label in sorted({**labels(), **labels("MUSEUM_EXPLORED")}.items()):
        if not is_fault(label):
            continue
        explored = EXPLORE.search(label)
        if explored:
            command = explored.group(0).removesuffix(" (race)")
            yield Fault(name, f"{command} time={LIMIT}", "explore", True, bool(explored.group(3)))
        else:
            shown = sorted(command for command, _ in demonstrations(label))
            yield Fault(name, shown[0], "plain", True, False)


def designs():
    """The weaknesses whose switch is the design that has them."""
    with open(os.path.join(ROOT, "docs", "weaknesses.md"), encoding="utf-8") as page:
        for name, lifetime, race, _, _ in DESIGN.findall(page.read()):
            yield Fault(name, f"race {race} lifetime={lifetime}", "plain", False, False)


def start(build, commands):
    """A machine of that build, which plays the commands and ends; its serial line."""
    env = {**os.environ, "CMD": "; ".join(commands), "TIMEOUT": str(SECONDS[build])}
    words = ["make", "-s", "-C", ROOT, "run"]
    if build == "explore":
        del env["CMD"]
        words = explore_home.command("; ".join(commands), SECONDS[build])
    return subprocess.Popen(words, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                            text=True, errors="replace")


def listen(machine):
    """(command, outcome) as they come. One that has no end is the machine's: its status is None."""
    command, began, text = None, 0, []
    for line in machine.stdout:
        begin, end = BEGIN.match(line), END.match(line)
        if begin:
            command, began, text = begin.group(1), time.monotonic(), []
        elif end and command is not None:
            yield command, Outcome(int(end.group(1)), time.monotonic() - began, "".join(text))
            command = None
        else:
            text.append(line)
    machine.wait()
    if command is not None:
        yield command, Outcome(None, time.monotonic() - began, "".join(text))


def describe(fault, outcome):
    """What found it, in a few words."""
    said = re.search(r"(?m)^explore \S+ lifetime=\S+ model=(\S+) strategy=(\S+): .*?([\d,]+) executions?",
                     outcome.text)
    if said:
        return f"{fault.command} ({said.group(2)}, {said.group(1)}): {said.group(3)} executions"
    return fault.command


def play(build, faults, with_fault):
    """{fault: outcome}; lines are shown as they come."""
    with Progress("museum" if with_fault else "without a fault", len(faults)) as bar:
        return play_with(bar, build, faults, with_fault)


def play_with(bar, build, faults, with_fault):
    """play(), which `bar` tells about."""
    left, outcomes = list(faults), {}
    bar.step()
    while left:
        part = left[:TOGETHER if build == "plain" else len(left)]
        lines = [line for fault in part for line in
                 ([f"museum {fault.name} on"] if with_fault and fault.switch else []) + [fault.command]
                 + ([f"museum {fault.name} off"] if with_fault and fault.switch else [])]
        at = 0
        for command, outcome in listen(start(build, lines)):
            if at < len(part) and command == part[at].command:
                outcomes[part[at]] = outcome
                at += 1
                bar.step(part[at].command if at < len(part) else "")
                if with_fault:
                    show(part[at - 1], outcome, bar)
        if not at:  # it did not even begin
            outcomes[part[0]] = Outcome(None, 0, "")
            at = 1
        left = left[at:]
    return outcomes


def races(outcome):
    """Two accesses in no order, which the explorer lists, and which nobody has marked as meant."""
    return bool(re.search(r"(?m)^ *race: ", outcome.text))


def found(fault, outcome):
    """Was it the fault that was found? A machine that cannot do it has found nothing."""
    if fault.race:
        return races(outcome)
    if outcome.status is None or outcome.status == 0:
        return False
    if fault.build == "explore" or fault.command.startswith("race"):
        return bool(re.search(r": (?:.*, )?(BROKEN|HUNG) ", outcome.text))
    return bool(re.search(r"(?m)^not ok 1 ", outcome.text))


def show(fault, outcome, bar):
    what = "found" if found(fault, outcome) else "NOT FOUND"
    bar.print(f"{fault.name:28} {what:9} {outcome.seconds:7.2f} s  {describe(fault, outcome)}")


def main(names):
    every = list(switches()) + list(designs())
    chosen = [fault for fault in every if not names or fault.name in names]
    asked.known("museum", "NAMES", names, {fault.name for fault in every}, "`museum` in the shell and `lifetime` list them")
    hits, alarms = 0, 0
    for build in ("plain", "explore"):
        faults = [fault for fault in chosen if fault.build == build]
        hits += sum(found(*pair) for pair in play(build, faults, True).items())
        # The same without any fault, each command once: a design's weakness is none of the default.
        quiet = {Fault("", re.sub(r" lifetime=\S+", "", f.command) if not f.switch else f.command,
                       build, False, f.race) for f in faults}
        for fault, outcome in play(build, sorted(quiet), False).items():
            if outcome.status != 0 or build == "explore" and races(outcome):
                alarms += 1
                print(f"without a fault: {fault.command} fails\n{outcome.text[-400:]}", flush=True)
    print(f"museum: {hits} of {len(chosen)} found, {alarms} false alarms")
    sys.exit(hits < len(chosen) or alarms > 0)


if __name__ == "__main__":
    explore_home.end_with("museum", main)
