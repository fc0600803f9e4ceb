# SPDX-License-Identifier: MIT
"""`make debug TOKEN=…`: gdb is stopped before the fatal step, on the stack that is about to make it; a
token that leads nowhere is refused before gdb begins."""

import json
import os
import re
import subprocess
import sys

import pytest

import hf_make
from hf_config import ROOT
from hf_machine import split_commands

TOOL = os.path.join(ROOT, "tests", "tools", "explore_debug.py")
DIMMS = ["-p", "-,size=1G", "-p", "-,size=16G,scratch"]
# The switch, and what finds it. Its fatal step stands in a function that begins with code in line.
FAULT, EXPLORE = "mark-looks-again", "explore busy.mark-put"


def found(command, fault=""):
    """Token, last step and verdict of what this command finds."""
    on = [f"museum {fault} on"] if fault else []
    done = hf_make.home(*DIMMS, "-c", "; ".join(on + [command]))
    token = re.search(r"^token (\S+)$", done.stdout, re.M)
    assert token, done.stdout
    done = hf_make.home(*DIMMS, "-c", "; ".join(on + [f"replay {token[1]} json"]))
    rows = [json.loads(line) for line in split_commands(done.stdout)[-1].output.splitlines()]
    return token[1], rows[-2], rows[-1]


def gdb(token, *commands, home, fault="", words=(sys.executable, TOOL)):
    """What gdb says to these commands, for which it is asked on stdin; its own settings stay out of it."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    env.update(HOME=str(home), MUSEUM=fault, TOKEN=token)
    words = [*words] if "make" in words else [*words, token]
    return subprocess.run(words, cwd=ROOT, env=env, input="".join(f"{line}\n" for line in commands), text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120, check=False, errors="replace")


def comes_next(step):
    """What is said of the step before which gdb stops."""
    return f"comes next: {step['thread']}: {step['event']}, {step['file']}:{step['line']}\n"


def test_a_fault_of_the_museum(tmp_path):
    """By make: the function and line of the last step, a stack down to its thread, registers; then it breaks."""
    hf_make.make("host")
    token, step, verdict = found(EXPLORE, FAULT)
    done = gdb(token, "backtrace", "info registers rip", "print $_siginfo.si_signo", "up", "down", "continue", "quit",
               home=tmp_path, fault=FAULT, words=["make", "-s", "debug"])
    text = done.stdout
    assert done.returncode == 0 and text.count(comes_next(step)) == 1, text + done.stderr
    frame = re.search(rf"^#(\d+) +0x[0-9a-f]+ in {step['function']} \(.*\)(?: at|\n +at) {step['file']}:"
                      rf"{step['line']}$", text, re.M)
    assert frame and int(frame[1]) > 0, text
    stack = text[text.index("(gdb) #0 "):]
    assert re.search(r"^#\d+ .* in run_actor \(\)", stack, re.M) and step["function"] in stack, text
    assert re.search(rf"^\(gdb\) rip +0x[0-9a-f]+ +0x[0-9a-f]+ <{step['function']}\+\d+>$", text, re.M), text
    before, after = text.split("Continuing.")
    assert "broken:" not in before and f"broken: {verdict['broken']}: {verdict['text']}" in after, text


def test_the_step_has_not_been_made(tmp_path):
    """What the last step stores is not there yet; `run` goes there once more."""
    hf_make.make("host")
    token, step, verdict = found("explore wait.woken-too-early")
    assert (step["function"], step["event"], step["object"], step["value"]) == ("send_early", "store", "full", "0x1")
    done = gdb(token, "print full", "print wait_counts", "run", "print full", "kill", "quit", home=tmp_path)
    assert done.returncode == 0 and "breaks no rule" not in done.stderr, done.stderr
    assert done.stdout.count(comes_next(step)) == 2, done.stdout
    assert re.findall(r"^\(gdb\) \$\d+ = (\d+)$", done.stdout, re.M) == ["0", "0"], done.stdout
    assert "broken:" not in done.stdout, done.stdout
    done = gdb(token, "tbreak x_leave", "continue", "print full", "kill", "quit", home=tmp_path)
    assert "$1 = 1" in done.stdout, "the step is made after the stop: " + done.stdout
    assert verdict["broken"] == "I4"


def test_a_store_that_leaves_its_buffer(tmp_path):
    """No code makes that event: the line that the store came from is shown, and not somebody else's stack."""
    hf_make.make("host")
    token, step, _ = found("explore seed.s3.11-lessor model=tso")
    assert step["event"] == "drain" and step["thread"].startswith("buffer ")
    # A beginning of that order, one event of the lessor earlier: its thread waits for its turn meanwhile, on
    # the stack on which gdb stops.
    begun = re.sub(r":a(\d+)c.*", lambda found: f":a{int(found[1]) - 1}c", token)
    done = gdb(begun, "backtrace", "frame", "kill", "quit", home=tmp_path)
    before, stack, frame, *_ = done.stdout.split("(gdb)")
    rows = hf_make.home(*DIMMS, "-c", f"replay {begun} json").stdout.splitlines()
    # `replay` goes on behind the token's last event, which is the one that gdb is stopped before.
    last = [json.loads(row) for row in rows if row.startswith('{"step"')][int(re.search(r":a(\d+)c$", begun)[1])]
    assert last["event"] == "drain" and comes_next(last) in before and "x_wait_turn" in stack, done.stdout
    assert "explore_last_step" in frame, done.stdout
    done = gdb(token, "kill", "quit", home=tmp_path)
    with open(os.path.join(ROOT, step["file"]), encoding="utf-8") as source:
        line = source.read().splitlines()[step["line"] - 1]
    assert comes_next(step) + "no code makes it" in done.stdout and f"{step['line']}\t{line}" in done.stdout, done.stdout


@pytest.mark.parametrize("token, said, status", [
    ("", "TOKEN is the last line of a finding", 2),
    ("two words", "TOKEN is the last line of a finding", 2),
    ("nonsense", "'nonsense' is no token: it has no four parts", 1),
    ("no.such:-:sc:a", "there is no scenario of that name", 1),
    ("litmus.message:-:sc:", "names no event", 1),
    ("litmus.message:-:sc:a99", "event 2 of the token is send's, which cannot go on there", 1),
    ("litmus.message:-:sc:e5", "event 1 of the token is nobody's", 1)])
def test_what_leads_nowhere_is_refused(tmp_path, token, said, status):
    """By a sentence, and gdb does not begin."""
    hf_make.make("host")
    done = gdb(token, "quit", home=tmp_path)
    assert done.returncode == status and said in done.stderr and not done.stdout, done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_an_order_without_its_fault(tmp_path):
    """Without the fault the order breaks nothing, or cannot be: that is said, with the word that helps."""
    hf_make.make("host")
    done = gdb("litmus.message:-:sc:a", "kill", "quit", home=tmp_path)
    assert done.returncode == 0 and "breaks no rule" in done.stderr and "MUSEUM=NAME" in done.stderr, done.stderr
    assert "comes next: send: store" in done.stdout
    token, *_ = found("explore entry.unlock-grow", "unlock-looks-early")
    done = gdb(token, "quit", home=tmp_path)
    assert done.returncode == 1 and "MUSEUM=NAME" in done.stderr and not done.stdout, done.stdout + done.stderr
    done = gdb(token, "quit", home=tmp_path, fault="no-such")
    assert done.returncode == 1 and "unknown exhibit 'no-such'" in done.stderr, done.stderr
