# SPDX-License-Identifier: MIT
"""Bugs put in on purpose: each exhibit makes the test or race that its label names fail.

The table is the museum itself: the labels MUSEUM("…shown by selftest X…race Y (HUNG I4)…") say
which, so an exhibit without a demonstration, or one that shows nothing, fails here. What only a
rare order of events shows says "found by explore X": `make museum` explores it.
"""

import glob
import os
import re
import sys

import pytest

from hf_config import ROOT
from run import run_commands

sys.path.insert(0, os.path.join(ROOT, "tests", "tools"))

import museum  # noqa: E402

# The six that every Holdfast must have: what is wrong, and a word of its label.
REQUIRED = {"the wake skipped": "wake", "the recheck in fast gup skipped": "recheck",
            "a flush skipped": "skip-flush", "an entry not removed": "entry",
            "a block freed twice": "twice", "a count dropped before the flush": "before-flush"}
LABELS = museum.labels()
EXPLORED = museum.labels("MUSEUM_EXPLORED")  # in the explorer's build only
# What never ends is shown by what the machine says when its time is up: test_make_run.py.
ENDLESS = {name for name, label in LABELS.items() if "never ends" in label}


def cells():
    """(exhibit, command, verdict it must show) for everything a label promises."""
    for name, label in sorted(LABELS.items()):
        if name in ENDLESS:
            continue
        for command, verdict in museum.demonstrations(label):
            yield name, command, verdict


def test_the_museum_shows_what_the_sources_hold(tmp_path):
    """`museum` lists every exhibit with its label, all off; completion and refusals know them."""
    result = run_commands("museum; museum all off; museum skip-wake; museum skip-wake on; museum; "
                          "museum all off; museum", tmp_path, PMEM="")
    assert result.status == 0, result.text
    rows = re.findall(r"(?m)^(\S+) +(on|off) +(\S.*)$", result.commands[0].output)
    assert {name: label for name, _, label in rows} == LABELS
    assert {state for _, state, _ in rows} == {"off"}
    states = [set(re.findall(r"(?m)^\S+ +(on|off) ", c.output)) for c in result.commands
              if c.line == "museum"]
    assert states == [{"off"}, {"on", "off"}, {"off"}]


@pytest.mark.parametrize("what", REQUIRED)
def test_the_six_faults_are_there(what):
    """Each of the six faults that the suite must be able to find is an exhibit."""
    assert any(REQUIRED[what] in name + label for name, label in LABELS.items()), LABELS


def test_every_exhibit_names_its_demonstration():
    """No label without a self-test or a race that shows the fault, or a scenario that finds it."""
    shown = {name for name, _, _ in cells()}
    found = {name for name, label in {**LABELS, **EXPLORED}.items() if museum.EXPLORE.search(label)}
    assert shown | found | ENDLESS == set(LABELS) | set(EXPLORED)


# A CPU may forget any translation at any time, so a race whose fault is a translation that stays
# in a TLB may miss it. A switch of such a race is on for so many rounds; one of them has to show it.
ROUNDS = {"race F-15": 3}


def play(name, command):
    """The lines that show an exhibit: without it, with it, without it again; nothing is left."""
    return [command, f"museum {name} on", *[command] * ROUNDS.get(command, 1),
            f"museum {name} off", command, "check"]


CELLS = list(cells())
TOGETHER = 8  # as many are shown by one machine, which is as it was after each of them
SHOWS = [CELLS[at:at + TOGETHER] for at in range(0, len(CELLS), TOGETHER)]


@pytest.fixture(scope="module")
def shows(tmp_path_factory):
    """Number of a show -> the machine that played it, once."""
    played = {}

    def show(number):
        if number not in played:
            lines = [line for name, command, _ in SHOWS[number] for line in play(name, command)]
            played[number] = run_commands("; ".join(lines), tmp_path_factory.mktemp("show"))
        return played[number]

    return show


@pytest.mark.parametrize("show,at,name,command,verdict", [
    pytest.param(n, at, *cell, marks=pytest.mark.xdist_group(f"show {n}"), id="-".join(cell))
    for n, cells_of_show in enumerate(SHOWS) for at, cell in enumerate(cells_of_show)])
def test_an_exhibit_makes_its_demonstration_fail(shows, show, at, name, command, verdict):
    """With the switch on the named test or race fails, as told; with it off again it passes."""
    result = shows(show)
    first = sum(len(play(n, c)) for n, c, _ in SHOWS[show][:at])
    lines = play(name, command)
    commands = result.commands[first:first + len(lines)]
    assert [c.line for c in commands] == lines, result.text
    before, _, *rounds, _, after, check = commands
    broken = next((c for c in rounds if c.status != 0), rounds[0])
    assert (before.status, after.status, check.status) == (0, 0, 0), result.text
    assert broken.status != 0, f"{name} is on and nobody notices:\n{result.text}"
    if command.startswith("selftest"):
        test = command.split()[1]
        for run, sign in ((before, "ok"), (broken, "not ok"), (after, "ok")):
            assert f"\n{sign} 1 {test}\n" in run.output, run.output
        assert re.search(r"(?m)^# \S+\.c:\d+: expected ", broken.output), "no word on what failed"
    else:
        cell = command if " lifetime=" in command else rf"{command} lifetime=\S+"
        line = re.search(rf"(?m)^{cell}: (.*)$", broken.output).group(1)
        assert line.startswith(verdict or ("BROKEN", "HUNG")), line
        assert ": safe\n" in before.output and ": safe\n" in after.output


def test_scenarios_are_there():
    """What labels say is explored is a scenario, or a fault would be looked for by none."""
    there = set()
    for path in glob.glob(os.path.join(ROOT, "tests", "explore", "**", "*.c"), recursive=True):
        with open(path, encoding="utf-8") as source:
            there |= set(re.findall(r'"([a-z]+\.[a-z0-9-]+)"', source.read()))
    wanted = {museum.EXPLORE.search(label).group(1) for label in {**LABELS, **EXPLORED}.values()
              if museum.EXPLORE.search(label)}
    assert wanted <= there, wanted - there


def test_the_museum_counts():
    """Seventy-five faults at least, each with one thing that finds it."""
    faults = list(museum.switches()) + list(museum.designs())
    assert len(faults) >= 75 and len({f.name for f in faults}) == len(faults)
    assert all(f.command for f in faults)


def test_one_fault_does_not_fail_everything(tmp_path):
    """keep-entry on: its own test fails, tests of other areas do not."""
    result = run_commands("museum keep-entry on; selftest dax.truncate-empties-index; "
                          "selftest acpi.* nfit.* lock.* thread.* wait.* trap.*", tmp_path)
    assert [c.status for c in result.commands] == [0, 5, 0], result.text
