# SPDX-License-Identifier: MIT
"""`make museum` without a machine: what counts as found, what as a false alarm, and what is done when a machine dies."""

import os
import re
import sys

import pytest

from hf_config import ROOT

sys.path.insert(0, os.path.join(ROOT, "tests", "tools"))
import museum  # noqa: E402

PLAIN = museum.Fault("plain-one", "selftest a.b", "plain", True, False)
SECOND = museum.Fault("plain-two", "race C-1 lifetime=unaware", "plain", True, False)
DESIGN = museum.Fault("C-3", "race C-3 lifetime=idle-at-one", "plain", False, False)
EXPLORED = museum.Fault("explored", "explore wait.one time=60", "explore", True, False)
RACES = museum.Fault("races", "explore pgmap.lookup time=60", "explore", True, True)
NOT_OK, OK = (5, "1..1\nnot ok 1 a.b\n"), (0, "ok 1 a.b\n")
BROKEN = (5, "race C-1 lifetime=unaware: BROKEN I1 it is\n")
FOUND = (14, "explore wait.one lifetime=- model=sc strategy=dpor: ended, 2 executions, 1 outcomes, depth 3, BROKEN I4 it is\n")
RACE = (0, "  race: a load in f()\n")
SAFE = (0, "it is safe\n")
ALL = {PLAIN: NOT_OK, SECOND: BROKEN, DESIGN: BROKEN, EXPLORED: FOUND, RACES: RACE}


class Machine:
    """Plays commands: with its switch on, or with a design, a fault does what `does` says, else what `without` says."""

    log = []

    def __init__(self, commands, does, without, dies):
        self.stdout, on = [], None
        for command in commands:
            if command.startswith("museum "):
                on = command.split()[1] if command.endswith(" on") else None
                self.say(command, 0, "")
                continue
            fault = next((f for f in does if f.command == command and f.name == (on or f.name) and (on or not f.switch)), None)
            Machine.log.append((on, command))
            if fault and fault.name in dies:
                self.stdout += [f"> {command}\n", *does[fault][1].splitlines(True), "PANIC: it is\n"]
                return
            self.say(command, *(does[fault] if fault else without.get(command, SAFE)))

    def say(self, command, status, text):
        self.stdout += [f"> {command}\n", *text.splitlines(True), f"[status {status}]\n"]

    def wait(self):
        return 0


def played(monkeypatch, capsys, does, without=None, dies=(), names=()):
    """Status and last line of what main() makes of these faults."""
    Machine.log = []
    monkeypatch.setattr(museum, "switches", lambda: [f for f in does if f.switch])
    monkeypatch.setattr(museum, "designs", lambda: [f for f in does if not f.switch])
    monkeypatch.setattr(museum, "start", lambda _build, commands: Machine(commands, does, without or {}, dies))
    with pytest.raises(SystemExit) as end:
        museum.main(list(names))
    return int(end.value.code), capsys.readouterr().out.splitlines()[-1]


def test_all_are_found(monkeypatch, capsys):
    """Each once with its switch, or its design, and once without."""
    assert played(monkeypatch, capsys, ALL) == (0, "museum: 5 of 5 found, 0 false alarms")
    assert sorted(Machine.log, key=str) == sorted(
        [(f.name if f.switch else None, f.command) for f in ALL]
        + [(None, f.command.replace(" lifetime=idle-at-one", "")) for f in ALL], key=str)


@pytest.mark.parametrize("fault, says", [
    (PLAIN, OK), (PLAIN, (5, "ok 1 a.b\n")), (PLAIN, (0, NOT_OK[1])), (SECOND, SAFE), (SECOND, (5, "cannot\n")), (SECOND, (0, BROKEN[1])),
    (EXPLORED, SAFE), (EXPLORED, (5, "explore wait.one: cannot: no memory\n")), (RACES, SAFE), (RACES, FOUND), (DESIGN, SAFE)])
def test_what_is_not_found(monkeypatch, capsys, fault, says):
    """Neither a status alone, nor words alone, nor another finding than the one that is wanted."""
    assert played(monkeypatch, capsys, {**ALL, fault: says}) == (1, "museum: 4 of 5 found, 0 false alarms")


@pytest.mark.parametrize("command, says", [
    (PLAIN.command, NOT_OK), (EXPLORED.command, FOUND), ("race C-3", BROKEN), (RACES.command, RACE)])
def test_a_false_alarm(monkeypatch, capsys, command, says):
    """What fails without a fault, though all are found; of races those that the explorer lists."""
    assert played(monkeypatch, capsys, ALL, {command: says}) == (1, "museum: 5 of 5 found, 1 false alarms")


def test_a_machine_that_dies_has_found_nothing(monkeypatch, capsys):
    """And the next one goes on behind the fault that killed it."""
    for dead in (PLAIN, SECOND, EXPLORED):
        assert played(monkeypatch, capsys, ALL, dies=(dead.name,)) == (1, "museum: 4 of 5 found, 0 false alarms")
        assert {(f.name if f.switch else None, f.command) for f in ALL} <= set(Machine.log)


def test_names_choose(monkeypatch, capsys):
    assert played(monkeypatch, capsys, ALL, names=["explored", "C-3"]) == (0, "museum: 2 of 2 found, 0 false alarms")
    with pytest.raises(SystemExit):
        museum.main(["none"])


def test_every_switch_is_a_fault_but_those_of_the_runner():
    every = {**museum.labels(), **museum.labels("MUSEUM_EXPLORED")}
    left_out = set(every) - {fault.name for fault in museum.switches()}
    assert left_out and all("never ends" in every[name] or "a self-test fails that should not" in every[name] for name in left_out)


def test_every_weakness_is_a_switch_or_a_design():
    """Each section of docs/weaknesses.md names its switch, or stands in the table of designs; five are no faults."""
    with open(os.path.join(ROOT, "docs", "weaknesses.md"), encoding="utf-8") as file:
        page = file.read()
    no_fault = set(re.findall(r"[A-GL]-\d+", page.split("Five sections above are no faults")[1].split("\n\n")[0]))
    every = {**museum.labels(), **museum.labels("MUSEUM_EXPLORED")}
    designs = {fault.name for fault in museum.designs()}
    sections = re.findall(r"^### ([A-GL]-\d+) .*?\n(.*?)(?=^##|\Z)", page, re.M | re.S)
    assert len(sections) >= 60 and len(no_fault) == 5
    for name, text in sections:
        switches = set(re.findall(r"`([a-z]+(?:-[a-z]+)+)`", text)) & set(every)
        assert name in no_fault or name in designs or switches, f"{name} has neither a switch nor a design"
        assert all("explore" in every[s] or "race" in every[s] or "selftest" in every[s] for s in switches), name
    wanted = [f"{letter}-{n}" for letter, most in zip("ABCDEFL", (2, 7, 8, 10, 7, 16, 7)) for n in range(1, most + 1)]
    assert set(wanted) <= {name for name, _ in sections}
