# SPDX-License-Identifier: MIT
"""Jobs share a scenario by its beginnings: what each took comes together to the whole, whoever dies on the way."""

import array
import mmap
import os
import sys

import pytest

import hf_make
from hf_config import ROOT

sys.path.insert(0, os.path.join(ROOT, "tests", "tools"))
import explore  # noqa: E402
import explore_keep  # noqa: E402
import explore_merge  # noqa: E402
import explore_share  # noqa: E402

DIMMS = ["-p", "-,size=64M,scratch"]
NAMES = ["file.gup-gup-punch", "lock.mutex", "litmus.message"]  # the last two end within the beginnings
PIECES = 1 << 24


def explored(*more):
    """What the home made of these words, and option words behind a `--`."""
    words, options = (more[:more.index("--")], more[more.index("--") + 1:]) if "--" in more else (more, ())
    done = hf_make.home(*DIMMS, *options, "-c", " ".join(("explore",) + words))
    return explore_merge.results(done.stdout.splitlines())[0]


def take(path, which, by):
    """These beginnings are taken."""
    taken = array.array("H", bytes(2 * PIECES))
    for place in which:
        taken[place] = by
    path.write_bytes(taken.tobytes())


@pytest.mark.parametrize("name", NAMES)
def test_what_processes_take_is_the_whole(name, tmp_path):
    """One finds every third beginning free, the next one all others but five, which the last one finds."""
    path, whole = tmp_path / "taken", explored(name)
    take(path, (n for n in range(PIECES) if n % 3), 9)
    parts = [explored(name, "shard=0/1", "--", "-t", f"{path}:1")]
    taken = array.array("H", path.read_bytes())
    take(path, (n for n in range(PIECES) if taken[n] == 1 or n in (1, 2, 4, 5, 7)), 1)
    parts.append(explored(name, "shard=0/1", "--", "-t", f"{path}:2"))
    taken = array.array("H", path.read_bytes())
    take(path, (n for n in range(PIECES) if taken[n] and n not in (1, 2, 4, 5, 7)), 1)
    parts.append(explored(name, "shard=0/1", "--", "-t", f"{path}:3"))
    assert all(part.executions < whole.executions for part in parts)
    assert explore_share.together(dict(enumerate(parts)), False).line() == whole.line()
    assert explored(name, "shard=0/1", "--", "-t", f"{path}:4").executions == 0, "all are taken"


def test_what_is_not_done_in_time_is_given_back(tmp_path):
    """The beginning that a slice stops in is free for whoever comes next."""
    path, whole = tmp_path / "taken", explored(NAMES[0])
    first = explored(NAMES[0], "shard=0/1", "runs=700", "--", "-t", f"{path}:1")
    at, executions = first.done
    taken = array.array("H", path.read_bytes())
    assert set(taken[:at]) == {1} and not any(taken[at:]) and 0 < executions <= 700
    second = explored(NAMES[0], "shard=0/1", "--", "-t", f"{path}:2")
    assert executions + second.executions == whole.executions


@pytest.mark.parametrize("part", range(2))
def test_a_finding_of_any_part_has_its_token(part):
    """Its counterexample is played whole, whoever's beginning it is."""
    found = explored("wait.woken-too-early", f"shard={part}/2")
    assert found.verdict.startswith("BROKEN I4")
    assert found.told[-1] == explored("wait.woken-too-early").told[-1] != ""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of results of the test's own, with small machines."""
    monkeypatch.setattr(explore, "ROOT", str(tmp_path))
    monkeypatch.setattr(explore.explore_home, "DIMMS", DIMMS)
    monkeypatch.delenv("WHERE", raising=False)
    explored("litmus.message")  # it is built
    return tmp_path


def test_jobs_come_to_what_one_comes_to(folder, capsys, monkeypatch):
    """A free job helps at once here, and both say the same as one that is alone."""
    monkeypatch.setattr(explore_share, "PATIENCE", 0.001)
    whole = explored("peer.busy-two")
    for jobs in (3, 1):
        assert explore.run(jobs, ["peer.busy-tw*"]) == explore.SAFE
        assert capsys.readouterr().out == whole.line() + "\n"
        os.remove(folder / "build" / "explore-run" / "peer.busy-twall-shared" / "peer.busy-two.out")


def test_who_was_killed_has_taken_nothing(folder, capfd):
    """A process that dies leaves what others took as it is, and the next run explores what it had."""
    whole = explored(NAMES[0])
    path = folder / "build" / "explore-run" / f"{NAMES[0]}-shared"
    path.mkdir(parents=True)
    first = hf_make.home(*DIMMS, "-t", f"{path}/{NAMES[0]}.taken:1", "-c", f"explore {NAMES[0]} shard=0/1 runs=700").stdout
    first = first.replace("bounded (runs)", "bounded (time)")
    explore_keep.add(path / f"{NAMES[0]}.part", explore_keep.mark([NAMES[0]]), ["slice 1", *first.splitlines()])
    hf_make.home(*DIMMS, "-t", f"{path}/{NAMES[0]}.taken:2", "-c", f"explore {NAMES[0]} shard=0/1 runs=900")
    taken = array.array("H", (path / f"{NAMES[0]}.taken").read_bytes())
    assert {1, 2} <= set(taken)
    assert explore.run(1, [NAMES[0]]) == explore.SAFE
    assert capfd.readouterr().out == whole.line() + "\n"
    assert sorted(os.listdir(path)) == [f"{NAMES[0]}.out"]


@pytest.mark.parametrize("how", ["taken is gone", "taken is shorter", "taken is empty", "part is cut", "somebody is left over"])
def test_what_was_kept_is_whole_or_begun_anew(folder, capfd, how):
    """Without the list of who took what, what is kept says nothing; who outlived his parent takes from the old list."""
    whole = explored(NAMES[0])
    path = folder / "build" / "explore-run" / f"{NAMES[0]}-shared"
    path.mkdir(parents=True)
    part, taken = path / f"{NAMES[0]}.part", path / f"{NAMES[0]}.taken"
    first = hf_make.home(*DIMMS, "-t", f"{taken}:1", "-c", f"explore {NAMES[0]} shard=0/1 runs=700").stdout
    explore_keep.add(part, explore_keep.mark([NAMES[0]]), ["slice 1", *first.replace("bounded (runs)", "bounded (time)").splitlines()])
    if how == "taken is gone":
        taken.unlink()
    elif how == "taken is shorter":
        os.truncate(taken, 4097)
    elif how == "taken is empty":
        taken.write_bytes(bytes(2 * PIECES))
    elif how == "part is cut":
        os.truncate(part, part.stat().st_size - 3)
    else:
        with open(taken, "r+b") as left, mmap.mmap(left.fileno(), 2 * PIECES) as old:
            explore_share.Scenario(str(path), NAMES[0], False, explore_keep.mark([NAMES[0]]))
            old[2 * 600:2 * 610] = array.array("H", [2] * 10).tobytes()
    assert explore.run(1, [NAMES[0]]) == explore.SAFE
    assert capfd.readouterr().out == whole.line() + "\n"
    assert sorted(os.listdir(path)) == [f"{NAMES[0]}.out"]


def test_who_died_has_taken_nothing_wherever_it_stands(tmp_path):
    """Before, between and behind what others took, who were kept."""
    path = tmp_path / "taken"
    take(path, range(9), 1)
    take_more = array.array("H", path.read_bytes())
    for place in (0, 4, 5, 9):
        take_more[place] = 2
    path.write_bytes(take_more.tobytes())
    kept = {1: explore_merge.results([SAID.format(end="complete", n=8)])[0]}
    assert explore_share.forget(str(path), kept) and path.stat().st_size == 2 * PIECES
    assert array.array("H", path.read_bytes())[:12].tolist() == [0, 1, 1, 1, 0, 0, 1, 1, 1, 0, 0, 0]


def test_what_a_slice_did_behind_its_last_beginning_is_not_counted():
    """Whoever goes on begins with that one again; of a slice that its own time= ended all counts."""
    late = ["outcome x", "beginnings 4 executions 9", SAID.format(end="bounded (time)", n=12)]
    parts = dict(enumerate(explore_merge.results(lines)[0] for lines in (late, ["outcome x", SAID.format(end="complete", n=5)])))
    assert explore_share.together(parts, False).line() == SAID.format(end="complete", n=14)
    assert explore_share.together(parts, True).line() == SAID.format(end="bounded (time)", n=17)


SAID = "explore a.b lifetime=- model=sc strategy=dpor: {end}, {n} executions, 1 outcomes, depth 3, safe"


def test_what_dies_is_missing_and_what_learns_late_is_taken_whole(folder, capfd, monkeypatch):
    """By an engine of the test's own."""
    script, log, flag = folder / "engine", folder / "log", folder / "flag"
    late = SAID.format(end="bounded (learnt late, so the parts do not add up)", n=9)
    script.write_text(f'#!/bin/sh\ncase "$2" in *-l*) echo "a.b    claim"; exit;; esac\necho "$2" >>{log}\n'
                      f'[ -e {flag} ] || exit 9\n'
                      f'case "$2" in *shard*) echo "{late}";; *) echo "{SAID.format(end="complete", n=7)}";; esac\n')
    script.chmod(0o755)
    monkeypatch.setattr(explore.explore_home, "HOST", str(script))
    monkeypatch.setattr(explore.explore_home, "DIMMS", [])
    assert explore.run(2, ["a.*"]) == explore.MISSING
    assert "there is no result for a.b" in capfd.readouterr().err
    flag.touch()
    log.unlink()
    assert explore.run(1, ["a.*"]) == explore.SAFE
    assert capfd.readouterr().out == SAID.format(end="complete", n=7) + "\n"
    assert log.read_text().splitlines() == ["explore a.b shard=0/1 time=60", "explore a.b"]
    assert explore.run(2, ["no.such"]) == explore.MISSING
    assert "no scenario is called no.such" in capfd.readouterr().err
