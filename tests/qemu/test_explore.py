# SPDX-License-Identifier: MIT
"""The explorer in the kernel: built beside the plain one, it agrees with itself, finds what is known
to break, and its tokens lead back there."""

import json
import os
import re
import subprocess
import sys

from hf_config import ROOT
from run import run_commands
from test_selftest import Ktap

sys.path.insert(0, os.path.join(ROOT, "tests", "tools"))

import explore_table  # noqa: E402

LINE = re.compile(r"^explore (\S+) lifetime=(\S+) model=(\S+) strategy=(\S+): (complete|ended|bounded "
                  r"\(.*\)), (\d+) executions, (\d+) outcomes, depth (\d+), (safe|BROKEN \S+ .*)$", re.M)
COMMANDS = ["selftest explore.*", "explore lit*", "explore wait.message strategy=brute",
            "explore wait.message", "explore wait.woken-too-early",
            "museum half-backtrack on", "selftest explore.brute-equals-dpor",
            "museum half-backtrack off"]
# What says nothing, or twice, or what cannot be.
REFUSED = ["explore no.such", "explore wait.message strategy=magic", "explore wait.message model=pso",
           "explore wait.message bound=many", "replay nonsense", "explore -i more",
           "explore wait.message strategy=pct bound=0", "explore wait.message strategy=pct bound=17",
           "explore wait.message strategy=random bound=2", "explore wait.message seed=1",
           "explore wait.message order=reverse strategy=pct", "explore wait.message from=2",
           "explore wait.message shard=0/2 from=2 strategy=random", "explore wait.message runs=0",
           "explore wait.message time=0", "explore wait.message bound=1 bound=2",
           "explore wait.message lifetime=busy-extent"]


def test_whatever_can_meet_does():
    """Each two things meet in a scenario, or there is a reason; the page has the matrix as it is."""
    assert not list(explore_table.complaints())
    with open(explore_table.PAGE, encoding="utf-8") as page:
        assert "\n".join(explore_table.matrix()) in page.read()
    names = explore_table.names_in_sources()
    assert {name for name, _ in explore_table.expected()} <= names
    assert {lifetime for _, lifetime in explore_table.expected()} <= set(explore_table.LIFETIMES)


def test_the_explorer(tmp_path):
    """One machine: the self-tests, the small scenarios, brute = dpor, refusals, the failing self-check."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    subprocess.run(["make", "-j2", "EXPLORE=1"], cwd=ROOT, env=env, check=True)
    first = run_commands("; ".join(COMMANDS + REFUSED), tmp_path, EXPLORE=1)
    said = {command: first.command(command) for command in COMMANDS + REFUSED}
    ktap = Ktap(said["selftest explore.*"].output)
    assert not ktap.failed and len(ktap.passed) >= 9, first.text
    lines = {m[1]: m for m in LINE.finditer(said["explore lit*"].output)}
    assert lines["litmus.message"][5] == "complete" and lines["litmus.message"][9] == "safe"
    assert lines["litmus.locks-crossed"][9].startswith("BROKEN I4 "), first.text
    brute = LINE.search(said["explore wait.message strategy=brute"].output)
    dpor = LINE.search(said["explore wait.message"].output)
    assert brute[5] == dpor[5] == "complete" and brute[7] == dpor[7] and int(dpor[6]) < int(brute[6])
    for refused in REFUSED:
        assert said[refused].status != 0 and said[refused].output, refused
    assert "scenario" in said["explore no.such"].output and "token" in said["replay nonsense"].output
    # With every second backtrack point lost, the check that compares with brute force notices.
    assert Ktap(said["selftest explore.brute-equals-dpor"].output).failed == ["explore.brute-equals-dpor"]
    token = re.search(r"^token (\S+)$", said["explore wait.woken-too-early"].output, re.M)[1]
    check_replay(tmp_path, token)


def check_replay(tmp_path, token):
    """The token in another machine: the same events, and the same rule broken."""
    again = run_commands(f"replay {token} json", tmp_path, EXPLORE=1)
    steps = [json.loads(line) for line in again.command(f"replay {token} json").output.splitlines()]
    assert steps[-1]["broken"] == "I4" and steps[-1]["token"] == token
    assert [s["step"] for s in steps[:-1]] == list(range(1, len(steps)))
    assert any(s["file"] == "kernel/sync/wait.c" and s["event"] == "sleep" for s in steps[:-1])
