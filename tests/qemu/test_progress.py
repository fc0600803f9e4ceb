# SPDX-License-Identifier: MIT
"""What takes its time says how far it is: at a terminal, and nowhere else (tests/tools/progress.py)."""

import os
import subprocess
import sys

import pexpect

from hf_config import ROOT

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
