# SPDX-License-Identifier: MIT
"""What takes its time says how far it is: at a terminal, and nowhere else (tests/tools/progress.py)."""

import os
import re
import subprocess
import sys

import pexpect
import pytest

import hf_make
from hf_config import ROOT
from hf_machine import PROMPT
from run import Machine, run_commands

TOOLS = os.path.join(ROOT, "tests", "tools")
STEPS = f"""
import sys, time
sys.path.insert(0, {TOOLS!r})
import progress
progress.PATIENCE, progress.REDRAW = float(sys.argv[1]), 0.01
with progress.Progress("counting", 4) as bar:
    for n in range(4):
        bar.step("step " + "abcd"[n])
        sys.stdin.readline()
        bar.print("result " + "abcd"[n])
print("after it")
"""


def test_at_a_terminal():
    """The bar says what is done, of how many, and what goes on; results stand above it, and it goes at the end."""
    child = pexpect.spawn(sys.executable, ["-B", "-c", STEPS, "0"], encoding="utf-8", timeout=400, echo=False)
    for n, name in enumerate("abcd"):
        child.expect_exact(f"\rcounting [{'#' * 6 * n}{'.' * (24 - 6 * n)}] {n} of 4, ")
        child.expect(rf"\d+ s step {name}\x1b\[K")
        child.send("\n")
        child.expect(rf"\r\x1b\[Kresult {name}\r\n")
    child.expect(r"after it\r\n")
    child.expect(pexpect.EOF)
    assert "counting" not in child.before


def test_not_before_it_is_worth_a_line():
    """Something that ends before its patience is over draws nothing."""
    child = pexpect.spawn(sys.executable, ["-B", "-c", STEPS, "1000"], encoding="utf-8", timeout=400, echo=False)
    child.send("\n" * 4)
    child.expect(pexpect.EOF)
    assert child.before.replace("\r", "") == "result a\nresult b\nresult c\nresult d\nafter it\n"


def test_into_a_pipe():
    """Where nobody looks there are the results alone."""
    done = subprocess.run([sys.executable, "-B", "-c", STEPS, "0"], input="\n" * 4, text=True, check=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.stderr == "" and done.stdout == "result a\nresult b\nresult c\nresult d\nafter it\n"


def test_without_a_total():
    sys.path.insert(0, TOOLS)
    import progress
    bar = progress.Progress("asking")
    bar.step("Linux")
    assert bar.line() == "asking: 0 s Linux"


HOME = """#!/bin/sh
echo "> selftest"
echo 1..3
echo ok 1 first
read line <{gate}
echo "# why"
echo not ok 2 second
echo ok 3 third
echo "# 2 passed, 1 failed, 0 skipped"
echo "[status 5]"
exit 5
"""


def test_self_tests_of_a_home(tmp_path):
    """`make host-check` and `coverage`: how many of the self-tests are over, what failed, and the status; all of it is kept."""
    os.mkfifo(tmp_path / "gate")
    home = tmp_path / "holdfast"
    home.write_text(HOME.format(gate=tmp_path / "gate"))
    home.chmod(0o755)
    words = ["-B", os.path.join(TOOLS, "home_run.py"), str(home), "selftest"]
    child = pexpect.spawn(sys.executable, words, encoding="utf-8", timeout=400, echo=False)
    child.expect(rf"\r{tmp_path.name} \[#{{8}}\.{{16}}\] 1 of 3, \d+ s after first")
    (tmp_path / "gate").write_text("go\n")
    child.expect(r"\x1b\[K1\.\.3\r\nok 1 first\r\n# why\r\nnot ok 2 second\r\n"
                 r"# 2 passed, 1 failed, 0 skipped\r\n\[status 5\]\r\n")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 5 and (tmp_path / "run.txt").read_text().startswith("> selftest\n1..3\nok 1 first\n# why\n")
    with open(os.path.join(ROOT, "boot", "host", "host.mk"), encoding="utf-8") as rules:
        assert rules.read().count("$(call home_run,$<,") == 2


def test_a_command_at_the_prompt_says_what_it_waits_for(tmp_path):
    """After two seconds, and again later; not what is made of pieces, and not in a list of commands."""
    with Machine(tmp_path) as machine:
        said = machine.ask("sleep 4500")
        assert re.findall(r"(?m)^\[\d+ s\] .*$", said) == [
            "[2 s] sleep 4500: waits for time to pass", "[4 s] sleep 4500: waits for time to pass"]
        for line in ("mount pmem0 /t lifetime=idle-at-one", "write /t/f 0 x", "map /t/f", "touch m1", "pin m1",
                     "dma p1 in X times=10"):
            machine.ask(line)
        said = machine.ask("truncate /t/f 0")
        assert re.search(r"(?m)^\[2 s\] truncate /t/f 0: waits for pfn 0x[0-9a-f]+ \(/t/f page 0, 2 references, "
                         r"rest 1\) to be idle$", said), said
        machine.send("quiz 4")
        machine.expect(r"answer> ")
        with pytest.raises(AssertionError):  # who asks is not silent, and waits for no page
            machine.expect(r"\[\d+ s\]", 5)
        machine.type("\x03")
        machine.expect(PROMPT)
        machine.ask("unmap m1; umount /t; museum skip-wake on")
        said = machine.ask("time race A-1 lifetime=idle-at-one")
        assert " s] " not in said and "HUNG I4 nothing runnable, no event pending: T2 waits for pfn" in said
    said = run_commands("sleep 2500; soak 503 40", tmp_path)
    assert " s] " not in said.text
    assert re.search(r"(?m)^  \d+ of 40 transfers begun, \d+ rounds$", said.command("soak 503 40").output)


def test_a_batch_at_the_prompt_says_how_many_pieces_are_done():
    """Between two of them, at the prompt; a list of commands has output that programs read, and nothing else. All self-tests sleep for
    longer than the two seconds, on any machine."""
    hf_make.make("host")
    dimms = ["-p", "-,size=1G", "-p", "-,size=16G,scratch"]
    child = pexpect.spawn(hf_make.HOME, dimms, encoding="utf-8", timeout=400)
    child.expect(PROMPT)
    child.send("selftest\r")
    child.expect(r"\n1\.\.(\d+)\r")
    plan = child.match[1]
    child.expect(r"\nok (\d+) [^\n]*\n# (\d+) of (\d+)\r")
    assert child.match[1] == child.match[2] and child.match[3] == plan
    child.sendintr()
    child.expect(rf"# interrupted: \d+ of {plan} tests were not run")
    child.close(force=True)
    said = hf_make.home(*dimms, "-c", "selftest [a-d]*").stdout
    assert " passed, 0 failed" in said and not re.search(r"(?m)^# \d+ of \d+$", said), said
