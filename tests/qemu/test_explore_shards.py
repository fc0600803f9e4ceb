# SPDX-License-Identifier: MIT
"""Shards of the explorer, without a machine: their results become one, and what ended is not repeated."""

import os
import pathlib
import subprocess
import sys

import pytest

from hf_config import ROOT

sys.path.insert(0, os.path.join(ROOT, "tests", "tools"))
import explore  # noqa: E402
import explore_keep  # noqa: E402
import explore_merge  # noqa: E402

HOW = "lifetime=busy-extent model=tso strategy=dpor"
SAFE = f"explore a.b {HOW}%s: complete, 12 executions, 2 outcomes, depth 31, safe"
BROKEN = f"explore a.b {HOW}%s: bounded (time), 5 executions, 1 outcomes, depth 40, BROKEN I4 asleep for ever"


def shards(*texts):
    """What these shards found together."""
    found = {k: explore_merge.results(text.splitlines()) for k, text in enumerate(texts)}
    return explore_merge.merge(found, len(texts))


def test_executions_add_up_and_outcomes_unite():
    one = "outcome x\noutcome y\n" + SAFE % " shard=1/2"
    two = "outcome y\noutcome z\n" + (SAFE % " shard=2/2").replace("31", "33")
    assert [r.line() for r in shards(one, two)] == [
        f"explore a.b {HOW}: complete, 24 executions, 3 outcomes, depth 33, safe"]


def test_outcomes_that_were_not_named_are_at_least_so_many():
    assert [r.line() for r in shards(SAFE % " shard=1/2", SAFE % " shard=2/2")] == [
        f"explore a.b {HOW}: complete, 24 executions, at least 2 outcomes, depth 31, safe"]


def test_the_first_finding_is_told_and_complete_is_what_all_completed():
    """The lowest shard that found something, with its own lines; the prompt's lines are not among them."""
    story = "\n  step | put\n  1 | sleeps\ntoken a.b.%d\n> prompt\n"
    found = shards(SAFE % " shard=1/3", (BROKEN % " shard=2/3") + story % 2, (BROKEN % " shard=3/3") + story % 3)
    assert found[0].line() == (f"explore a.b {HOW}: bounded (time), 22 executions, at least 2 outcomes, "
                               "depth 40, BROKEN I4 asleep for ever")
    assert found[0].told == ("  step | put", "  1 | sleeps", "token a.b.2")


def test_several_scenarios_keep_their_own():
    other = "explore c.d lifetime=unaware model=sc strategy=brute: complete, 7 executions, 1 outcome, depth 9, safe"
    text = "outcome x\noutcome y\n" + SAFE % "" + "\noutcome w\n" + other
    assert [r.line() for r in shards(text, text)] == [
        f"explore a.b {HOW}: complete, 24 executions, 2 outcomes, depth 31, safe",
        "explore c.d lifetime=unaware model=sc strategy=brute: complete, 14 executions, 1 outcomes, depth 9, safe"]


def test_what_is_missing_is_not_safe():
    with pytest.raises(explore_merge.MergeError, match="shards 0, 1 of 0 … 2 have not ended"):
        explore_merge.merge({2: explore_merge.results([SAFE % ""])}, 3)
    with pytest.raises(explore_merge.MergeError, match="a.b .*: 1 results of 2 shards"):
        explore_merge.merge({0: explore_merge.results([SAFE % ""]), 1: []}, 2)


def test_slices_of_a_shard_are_one_result():
    """What a slice did behind its last complete beginning is done again, and is not counted twice."""
    first = ("outcome x\nbeginnings 4 executions 9\n" + SAFE % " shard=1/2").replace(
        "complete", "bounded (time)")
    last = "outcome y\nbeginnings 7 executions 12\n" + SAFE % " shard=1/2"
    found = explore_merge.results((first + "\n" + last).splitlines())
    assert [explore_merge.goes_on(result) for result in found] == [4, None]
    assert [r.line() for r in explore_merge.by_scenario(found)] == [
        f"explore a.b {HOW}: complete, 21 executions, at least 2 outcomes, depth 31, safe"]
    broken = explore_merge.results([f"beginnings 2 executions 3", BROKEN % ""])
    assert explore_merge.goes_on(broken[0]) is None, "who found something does not go on"


ENGINE = """#!/bin/sh
echo "$2" >>"{log}"
case "$2" in
"explore -l") echo "a.b                 holds in every order"; echo "c.d                 too"; exit;;
*shard=1/3*from=2*) ;;
*shard=1/3*) echo "beginnings 2 executions 3"
	echo "explore a.b {how}: bounded (time), 4 executions, 1 outcomes, depth 3, safe"; exit;;
esac
[ -e "{flag}" ] || case "$2" in *from=2*) exit 9;; esac
echo "explore a.b {how}: complete, 4 executions, 1 outcomes, depth 3, safe"
"""


def engine(folder, monkeypatch, text):
    """An engine of the test's own: a program that stands where the host home would."""
    path = folder / "holdfast"
    path.write_text(text)
    path.chmod(0o755)
    monkeypatch.setattr(explore, "ROOT", str(folder))
    monkeypatch.setattr(explore, "PER_JOB", 1)
    monkeypatch.setattr(explore.explore_home, "HOST", str(path))
    monkeypatch.setattr(explore.explore_home, "DIMMS", [])
    monkeypatch.delenv("WHERE", raising=False)


def test_a_killed_shard_goes_on_behind_its_last_slice(tmp_path, monkeypatch, capfd):
    """The second slice of shard 1 dies: its first is kept, the other shards do not run again."""
    log, flag = tmp_path / "log", tmp_path / "flag"
    engine(tmp_path, monkeypatch, ENGINE.format(log=log, flag=flag, how=HOW))
    assert explore.run_shards(3, ["a.*", "strategy=dpor"]) == explore.MISSING
    assert "shards 1 of 0 … 2 have not ended" in capfd.readouterr().err
    lines = sorted(line for line in log.read_text().splitlines() if "-l" not in line)
    assert lines == [f"explore a.b strategy=dpor shard={k}/3 time=60{at}"
                     for k, at in ((0, ""), (1, ""), (1, " from=2"), (2, ""))]
    flag.touch()
    log.unlink()
    assert explore.run_shards(3, ["a.*", "strategy=dpor"]) == explore.SAFE
    assert [line for line in log.read_text().splitlines() if "-l" not in line] == [
        "explore a.b strategy=dpor shard=1/3 time=60 from=2"]
    assert capfd.readouterr().out == (f"explore a.b {HOW}: complete, 15 executions, at least 1 outcomes, "
                                      "depth 3, safe\n")
    folder = tmp_path / "build" / "explore-run" / "a.all-strategy=dpor-3"
    assert explore.main(["merge", str(folder)]) == explore.SAFE
    (folder / "shard-0-of-2.out").touch()
    assert explore.main(["merge", str(folder)]) == explore.MISSING
    assert "shards of 2 divisions" in capfd.readouterr().err


def kept(path):
    """Slices of a shard that was killed behind its second one."""
    for at in (2, 5):
        explore_keep.add(path, explore_keep.mark(["a.*"]), ["outcome x", f"beginnings {at} executions 3",
                         (SAFE % " shard=0/1").replace("complete", "bounded (time)")])
    return path.read_bytes()


@pytest.mark.parametrize("how, resumes", [
    (lambda data: data, 5), (lambda data: data[:-1], 2), (lambda data: data[:-50], 2), (lambda data: data[:60], 0),
    (lambda data: data[:7], 0), (lambda data: b"", 0), (lambda data: data.replace(b"executions 3", b"executions 4", 1), 0),
    (lambda data: data + b"\0\xff" * 300, 5), (lambda data: data + b"kept 9999 lines 0123456789abcdef\nexplore", 5),
    (lambda data: data[:-40] + b"\0" * 40, 2)])
def test_a_checkpoint_is_whole_or_not_there(tmp_path, monkeypatch, capfd, how, resumes):
    """Cut off anywhere, overwritten, or with what nobody wrote behind it: what is not sure is explored again."""
    engine(tmp_path, monkeypatch, ENGINE.format(log=tmp_path / "log", flag=tmp_path, how=HOW).replace("; echo \"c.d                 too\"", ""))
    path = tmp_path / "shard-0-of-1.part"
    path.write_bytes(how(kept(path)))
    assert explore.main(["shard", str(tmp_path), "0", "1", "a.*"]) == explore.SAFE
    asked = (tmp_path / "log").read_text().splitlines()[-1]
    assert asked == "explore a.b shard=0/1 time=60" + (f" from={resumes}" if resumes else "")
    assert explore.main(["merge", str(tmp_path)]) == explore.SAFE
    sums = {5: 3 + 3 + 4, 2: 3 + 4, 0: 4}
    assert f"complete, {sums[resumes]} executions" in capfd.readouterr().out
    with open(tmp_path / "shard-0-of-1.out", "r+b") as out:  # and so when it had ended
        out.seek(-20, os.SEEK_END)
        out.write(b"?")
    (tmp_path / "log").unlink()
    assert explore.main(["shard", str(tmp_path), "0", "1", "a.*"]) == explore.SAFE
    assert (tmp_path / "log").read_text().splitlines()[-1] == asked


def test_each_scenario_goes_on_behind_its_own_slices(tmp_path, monkeypatch, capfd):
    """One is complete, the next one was stopped, the last one not begun: the first is left, the others go on."""
    script = ENGINE.format(log=tmp_path / "log", flag=tmp_path, how=HOW).replace('too"; exit', 'too"; echo "e.f    and this"; exit')
    engine(tmp_path, monkeypatch, script.replace("echo \"explore a.b", "set -- $2; echo \"explore $2"))
    path, stopped = tmp_path / "shard-0-of-1.part", (SAFE % " shard=0/1").replace("a.b", "c.d").replace("complete", "bounded (time)")
    for lines in ([SAFE % " shard=0/1"], ["beginnings 5 executions 3", stopped]):
        explore_keep.add(path, explore_keep.mark(["*"]), lines)
    assert explore.main(["shard", str(tmp_path), "0", "1", "*"]) == explore.SAFE
    assert (tmp_path / "log").read_text().splitlines()[1:] == [
        "explore c.d shard=0/1 time=60 from=5", "explore e.f shard=0/1 time=60"]
    capfd.readouterr()
    assert explore.main(["merge", str(tmp_path)]) == explore.SAFE
    assert [line.split(":")[0].split()[1] for line in capfd.readouterr().out.splitlines()] == ["a.b", "c.d", "e.f"]


def test_a_checkpoint_of_other_words_or_of_another_program_is_refused(tmp_path, monkeypatch, capfd):
    """What it kept is not this exploration's; a shard that ended under other words has said nothing of these."""
    engine(tmp_path, monkeypatch, ENGINE.format(log=tmp_path / "log", flag=tmp_path, how=HOW))
    line = ["shard", str(tmp_path), "0", "1"]
    assert explore.main(line + ["a.*"]) == explore.SAFE
    assert explore.main(line + ["a.*", "model=tso"]) == explore.MISSING and "take another folder" in capfd.readouterr().err
    assert explore.main(line + ["a.*"]) == explore.SAFE
    (tmp_path / "holdfast").write_text((tmp_path / "holdfast").read_text() + "# another\n")
    assert explore.main(line + ["a.*"]) == explore.MISSING and "by program" in capfd.readouterr().err
    assert explore.main(["shard", str(tmp_path / "two"), "1", "2", "a.*"]) == explore.SAFE
    os.rename(tmp_path / "shard-0-of-1.out", tmp_path / "two" / "shard-0-of-2.out")
    capfd.readouterr()
    assert explore.main(["merge", str(tmp_path / "two")]) == explore.MISSING
    assert "of different explorations" in capfd.readouterr().err


def test_a_beginning_that_takes_longer_than_a_slice_gets_more_time():
    """Else the same slice would be made for ever."""
    places = [4, 9, 9, 9, 12]
    parts = [explore_merge.results([f"beginnings {at} executions 3", (SAFE % "").replace("complete", "bounded (time)")])[0]
             for at in places]
    assert [explore.patience(parts[:n]) // explore.SLICE for n in range(6)] == [1, 1, 1, 2, 4, 1]


def test_a_finding_is_the_status(tmp_path, monkeypatch, capfd):
    script = f'#!/bin/sh\necho "a.b    claim"; case "$2" in *-l*) ;; *) echo "{BROKEN % ""}"; echo token q;; esac'
    engine(tmp_path, monkeypatch, script)
    assert explore.run_shards(2, []) == explore.BROKEN
    assert capfd.readouterr().out.endswith("token q\n")
    assert explore.run_shards(2, ["no.such"]) == explore.MISSING
    assert "no scenario is called no.such" in capfd.readouterr().err


KNOWN = """#!/bin/sh
case "$2" in *-l*) echo "a.b    1+0   claim (known to break)"; echo "c.d    1+0   claim (known to break under tso)"; exit;; esac
set -- $2
echo "explore $2 lifetime=- model=$MODEL strategy=dpor: {end}"; echo token q
"""
BREAKS, HOLDS = "ended, 2 executions, 1 outcomes, depth 3, BROKEN sum it is", "complete, 2 executions, 1 outcomes, depth 3, safe"


@pytest.mark.parametrize("end, name, model, status", [
    (BREAKS, "a.b", "sc", 0), (BREAKS, "a.b", "tso", 0), (BREAKS, "c.d", "sc", 1), (BREAKS, "c.d", "tso", 0),
    (HOLDS, "a.b", "sc", 1), (HOLDS, "c.d", "sc", 0), (HOLDS, "c.d", "tso", 1), (HOLDS.replace("complete", "bounded (time)"), "a.b", "sc", 0)])
def test_what_is_known_to_break_is_no_failure_but_where_it_does_not(tmp_path, monkeypatch, capfd, end, name, model, status):
    """Else `make explore` would fail always, or not notice that orders are lost."""
    engine(tmp_path, monkeypatch, KNOWN.format(end=end))
    monkeypatch.setenv("MODEL", model)
    for run in (explore.run_shards, explore.run_shared):
        assert run(1, [name, "time=9"]) == status, run
        assert ("known to break, and safe" in capfd.readouterr().err) == (end == HOLDS and status == 1)


@pytest.mark.parametrize("variable", ["SHARD", "SLURM_ARRAY_TASK_ID", "PARALLEL_SEQ"])
def test_the_job_script_knows_its_shard(tmp_path, variable):
    """By hand, as a task of a Slurm array, and under GNU parallel: shards that ended are looked at only."""
    script = os.path.join(ROOT, "tests", "tools", "explore_job.sh")
    env = {"PATH": os.environ["PATH"], variable: "2"}
    shard = 1 if variable == "PARALLEL_SEQ" else 2
    explore_keep.add(tmp_path / f"shard-{shard}-of-3.out", explore_keep.mark(["a.b"]), [BROKEN % ""])
    assert subprocess.run([script, tmp_path, "3", "a.b"], env=env, check=False).returncode == 1
    del env[variable]
    done = subprocess.run([script, tmp_path, "3"], env=env, check=False, capture_output=True, text=True)
    assert done.returncode == 2 and "which shard?" in done.stderr


def test_the_job_script_is_where_slurm_copied_it(tmp_path):
    """A task runs a copy of the script: the tree is where it was submitted."""
    copy = tmp_path / "slurm_script"
    copy.write_bytes(pathlib.Path(ROOT, "tests", "tools", "explore_job.sh").read_bytes())
    copy.chmod(0o755)
    explore_keep.add(tmp_path / "shard-2-of-3.out", explore_keep.mark(["a.b"]), [SAFE % ""])
    env = {"PATH": os.environ["PATH"], "SLURM_ARRAY_TASK_ID": "2", "SLURM_SUBMIT_DIR": ROOT}
    assert subprocess.run([copy, tmp_path, "3", "a.b"], env=env, cwd=tmp_path, check=False).returncode == 0


@pytest.mark.parametrize("args", [[], ["run"], ["shard", "x", "3", "3"], ["merge", "/none"],
                                  ["shard", "x", "one", "3"]])
def test_a_wrong_line_is_answered_by_the_right_ones(args, capsys):
    assert explore.main(args) == 2 and "explore.py run JOBS" in capsys.readouterr().err
