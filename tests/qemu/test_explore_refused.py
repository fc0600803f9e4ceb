# SPDX-License-Identifier: MIT
"""What is asked wrongly of the explorer's tools, what is not installed, and Ctrl-C: a sentence that says what would do."""

import os
import re
import signal
import subprocess
import sys

import pexpect
import pytest

import hf_make
from hf_config import ROOT

TOOLS = os.path.join(ROOT, "tests", "tools")


def tool(name, *args, **env):
    """What a tool says."""
    return subprocess.run([sys.executable, "-B", os.path.join(TOOLS, name), *args], env={**os.environ, **env}, cwd=ROOT,
                          capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.parametrize("words,said", [
    (["explore.py", "run", "0"], "explore: JOBS=0 is no number of processes: 1 to 9999"),
    (["explore.py", "run", "two", "wait.message"], "explore: JOBS=two is no number of processes: 1 to 9999"),
    (["explore.py", "run", "1", "no.such"], "explore: no scenario is called no.such; `build/host/holdfast -c 'explore -l'`"),
    (["explore.py", "shard", "/proc/none", "0", "2"], "explore: /proc/none: No such file or directory"),
    (["explore_faults.py", "no-such"], "explore-faults: no edit is called no-such; tests/explore/scenarios/faults.txt has"),
    (["explore_three.py", "9", "no.such"], "no scenario of three threads is called no.such"),
    (["memcheck.py", "-j", "0", "lock"], "host-valgrind: JOBS=0 is no number of processes"),
    (["memcheck.py", "lokc"], "host-valgrind: no group of self-tests is called lokc"),
    (["book.py", "write", "99"], "book: N=99 is none; the book has chapters 1 to 14"),
    (["grade_all.py", "run", "/none", "4", "--jobs", "0"], "grade-all: JOBS=0 is no number of processes: 1 to 9999"),
    (["museum.py", "no-such"], "museum: NAMES=no-such is none; `museum` in the shell and `lifetime` list them")])
def test_what_is_asked_wrongly(words, said):
    hf_make.make("host")
    done = tool(*words)
    assert done.returncode and done.stderr.startswith(said) and "Traceback" not in done.stderr, done


@pytest.mark.parametrize("variables,said", [
    ({"JOBS": "x"}, "mutants: JOBS=x is no number of processes: 1 to 9999"), ({"JOBS": "-1"}, "mutants: JOBS=-1"),
    ({"TOTAL": "0"}, "mutants: TOTAL=0 is no number of mutants: 1 to 99999"),
    ({"AGAIN": "x"}, "mutants: AGAIN=x is none; there are all, survived, killed, unraced"),
    ({"FILES": "nosuch"}, "mutants: FILES=nosuch is none; docs/mutants.md"),
    ({"FILES": "kernel/shell/quiz.c"}, "mutants: FILES=kernel/shell/quiz.c is none; docs/mutants.md"),
    ({"NAMES": "no-such"}, "mutants: NAMES=no-such is none; docs/mutants.md has")])
def test_what_is_asked_wrongly_of_the_mutants(variables, said):
    done = tool("mutants.py", REPORT="1", **variables)
    assert done.returncode == 2 and done.stderr.startswith(said), done


def test_words_of_a_tool_are_words(tmp_path):
    """Nothing in NAMES is make's or the shell's."""
    for words in ("$(shell touch FILE)", "$$(touch FILE)", "`touch FILE`", "; touch FILE", '"', "skip-wake *"):
        words = words.replace("FILE", str(tmp_path / "made"))
        done = subprocess.run(["make", "-s", "museum", f"NAMES={words}"], cwd=ROOT, capture_output=True, text=True, check=False,
                              timeout=300)
        assert done.returncode and "museum: NAMES=" in done.stderr and not os.listdir(tmp_path), done


def test_every_tool_ends_by_a_sentence():
    """At Ctrl-C, and where a file cannot be had: what make hands over to says so itself."""
    run = set()
    for name in ("Makefile", os.path.join("boot", "host", "host.mk")):
        with open(os.path.join(ROOT, name), encoding="utf-8") as text:
            run |= set(re.findall(r"\$\(PYTHON\) (tests/\S+\.py)", text.read()))
    assert len(run) >= 25, run
    at_once = {"tests/tools/scratch.py", "tests/tools/ksyms.py", "tests/tools/datasyms.py", "tests/tools/to_compile.py"}  # of a build
    # gdb is what Ctrl-C is for there.
    for path in sorted(run - at_once - {"tests/tools/explore_debug.py"}):
        with open(os.path.join(ROOT, path), encoding="utf-8") as text:
            assert re.search(r"end_with\(|except KeyboardInterrupt", text.read()), f"{path} ends in a traceback"


def test_what_is_not_installed(tmp_path):
    """With nothing but Python on the path."""
    hf_make.make("host")
    done = tool("explore_count.py", "wait.message", PATH=str(tmp_path))
    assert done.returncode == 2, done
    assert done.stderr == "explore-count: valgrind is not installed; `make explore-count` as root installs it\n", done


@pytest.mark.parametrize("words", [["lab.py", "1"], ["explore_ratio.py", "100", "wait.message"]])
def test_who_reads_may_have_enough(words, tmp_path):
    """`make lab … | head -1`: no traceback when head is gone."""
    hf_make.make("host")
    folder = [str(tmp_path / "tree")] if words[0] == "lab.py" else []
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([sys.executable, "-B", os.path.join(TOOLS, words[0]), *words[1:], *folder], cwd=ROOT, stdout=write,
                          stderr=subprocess.PIPE, text=True, check=False, timeout=300)
    os.close(write)
    assert done.returncode == 141 and not done.stderr, done


ENGINE = """#!/bin/sh
case "$2" in *-l*) for n in 1 2 3 4 5 6; do echo "a.n$n    claim"; done; exit;; esac
echo "$2" >>{log}
exec sleep 100
"""
PROGRAM = """
import sys
sys.path.insert(0, {tools!r})
import explore, explore_home
explore.ROOT, explore_home.HOST, explore_home.DIMMS = {root!r}, {root!r} + "/engine", []
explore_home.end_with("explore", explore.main, "KEPT")
"""


def test_an_interrupted_exploration_ends(tmp_path):
    """Of six scenarios two run; Ctrl-C ends them, and what was about to begin."""
    log, engine = tmp_path / "log", tmp_path / "engine"
    engine.write_text(ENGINE.format(log=log))
    engine.chmod(0o755)
    log.touch()
    child = pexpect.spawn(sys.executable, ["-B", "-c", PROGRAM.format(tools=TOOLS, root=str(tmp_path)), "run", "2", "a.*"],
                          encoding="utf-8", timeout=60, env={k: v for k, v in os.environ.items() if k != "WHERE"},
                          preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))  # which pytest's workers ignore
    while len(log.read_text().splitlines()) < 2:
        assert child.isalive()
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130 and "explore: interrupted; KEPT" in child.before, child.before
    assert "Traceback" not in child.before and len(log.read_text().splitlines()) < 5, child.before
