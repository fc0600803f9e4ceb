# SPDX-License-Identifier: MIT
"""`make explore-three`, without a machine: what counts as an end, and what is asked wrongly."""

import os
import sys

import pytest

from hf_config import ROOT

sys.path.insert(0, os.path.join(ROOT, "tests", "tools"))
import explore_home  # noqa: E402
import explore_three  # noqa: E402


def verdict(end, how="safe"):
    """The line of a result."""
    return f"explore a.b lifetime=x model=sc strategy=states: {end}, 5 executions, 3 outcomes, depth 9, {how}"


@pytest.mark.parametrize("first,second,fine", [
    ("bounded (preemptions)", None, True), ("complete", None, True), ("bounded (preemptions, time)", "complete", True),
    ("bounded (time)", "bounded (time)", False)])
def test_what_is_an_end(monkeypatch, first, second, fine):
    """All orders within the bound, or else all of them; one that ran out of time is none."""
    asked = []

    def said(line):
        asked.append(line)
        return [verdict(first if len(asked) == 1 else second)]
    monkeypatch.setattr(explore_three, "said", said)
    assert explore_three.ends("a.b", "sc", 7)[0] is fine
    assert asked[0] == "explore a.b model=sc strategy=states bound=3 time=7" and len(asked) == (2 if second else 1)


def test_what_breaks_is_no_end(monkeypatch, capsys):
    """Nor is a process that told nothing; of one that is known not to end a broken rule is told all the same."""
    monkeypatch.setattr(explore_three, "scenarios", lambda pattern: ["direct.punch-break"])
    for lines in ([verdict("ended", "BROKEN I5 gone")], ["it panicked"]):
        monkeypatch.setattr(explore_three, "said", lambda line, lines=lines: lines)
        assert not explore_three.ends("a.b", "sc", 7)[0]
        assert explore_three.main(["7"]) == 1
    monkeypatch.setattr(explore_three, "said", lambda line: [verdict("bounded (time)")])
    monkeypatch.setattr(explore_three, "OPEN", {("direct.punch-break", model) for model in ("sc", "tso")})
    assert explore_three.main(["7"]) == 0, "it is known not to end"
    capsys.readouterr()


@pytest.mark.parametrize("text", ["x", "", "0", "-1", "1.5", "\u0663"])
def test_seconds_that_are_none(text):
    """A sentence, and not a traceback."""
    with pytest.raises(SystemExit, match="is no number of seconds: 1 or more"):
        explore_home.seconds(text)
    assert explore_home.seconds("60") == 60


def test_a_name_that_nobody_has(monkeypatch):
    """Nothing to do is not done."""
    monkeypatch.setattr(explore_three, "scenarios", lambda pattern: [])
    with pytest.raises(SystemExit, match="no scenario of three threads is called nope"):
        explore_three.main(["7", "nope"])
