# SPDX-License-Identifier: MIT
"""Holdfast as a Linux process: it is built, prints what the machine prints, and refuses in sentences."""

import os
import re
import shutil
import subprocess
import sys
import textwrap

import pytest

import hf_image
from hf_config import BUILD, ROOT
from hf_make import home as run
from hf_make import make
from test_hand import shape

sys.path.insert(0, os.path.join(ROOT, "tests", "tools"))

import memcheck  # noqa: E402

DIMMS = ["-p", "-,size=64M,scratch"]


@pytest.fixture(scope="module", autouse=True)
def built():
    make("host")


def test_commands_and_their_status():
    done = run(*DIMMS, "-n", "4", "-c", "echo one; cat /none; selftest")
    assert done.returncode == 1, done.stdout
    assert re.search(r"^> cat /none\n.*^\[status 2\]$", done.stdout, re.M | re.S), done.stdout
    assert re.search(r"^# \d+ passed, 0 failed, \d+ skipped\n\[status 0\]", done.stdout, re.M), done.stdout


def test_commands_that_are_typed():
    """At its prompt, where it waits for a key in the host's own library; the end of the input turns it off."""
    done = subprocess.run([os.path.join(BUILD, "host", "holdfast"), "-p", "-,size=64M"], input="echo typed\nsleep 2500\n", text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=400)
    assert done.returncode == 0 and "power off" in done.stdout and "PANIC" not in done.stdout, done.stdout
    assert "[2 s] sleep 2500: waits for time to pass\n" in done.stdout.replace("\r", "")


def test_a_dimm_without_room(tmp_path):
    """Where the file of a DIMM ends meanwhile, or its disk is full, a store finds nothing: that is told, and ends it."""
    image = tmp_path / "scratch.img"
    with subprocess.Popen([os.path.join(BUILD, "host", "holdfast"), "-p", f"{image},size=64M,scratch"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        while "boot: done" not in process.stdout.readline():
            pass
        os.truncate(image, 0)
        said, _ = process.communicate("race A-1\n", timeout=100)
    assert process.returncode == 1 and re.search(r"holdfast: no memory behind 0x\w+: where a DIMM's file lies there is no room", said), said


def test_a_program_that_was_taken_from_its_place(tmp_path):
    """As a student gets it for "find the bug": no image lies beside it, and it starts all the same, with the same two DIMMs."""
    program = shutil.copy(os.path.join(BUILD, "host", "holdfast"), tmp_path)
    done = subprocess.run([program, "-c", "pmem; explore -l"], text=True, check=False, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=400)
    assert done.returncode == 0 and re.search(r"(?m)^pmem0: 1 GiB", done.stdout) and "pmem1: " in done.stdout, done.stdout
    assert os.listdir(tmp_path) == ["holdfast"]


def test_the_scratch_device_need_not_be_pmem1():
    """The only DIMM here is pmem0; and a mapping lies anywhere in the address space of a process."""
    done = run(*DIMMS, "-c", "selftest seed.s4.10 pmem.one-transition huge.fallback-length")
    assert "# 3 passed, 0 failed, 0 skipped\n" in done.stdout, done.stdout


def test_a_loop_that_waits_for_another_cpu_ends():
    done = run(*DIMMS, "-c", "selftest thread.preempted tlb.* reshape.both-orders xfs.437")
    assert re.search(r"# \d+ passed, 0 failed, 0 skipped\n", done.stdout), done.stdout


def test_a_run_takes_the_same_course_every_time():
    line = "selftest time.* thread.*; check"
    first, second = run(*DIMMS, "-c", line), run(*DIMMS, "-c", line)
    assert first.returncode == 0, first.stdout
    assert first.stdout == second.stdout


def test_every_race_ends_as_the_table_says():
    """F-15 needs a TLB for each CPU, C-5 of era 6.1 a disk or what stands in for one."""
    done = run(*DIMMS, "-c", "race all; check")
    assert done.returncode == 0 and re.search(r"^race all: 5\d\d cells, 0 unexpected$", done.stdout, re.M), done.stdout
    told = re.findall(r"^  race (\d+) of (\d+): ", done.stdout, re.M)  # how far it is
    assert [int(n) for n, _ in told] == list(range(1, 1 + int(told[0][1]))) and len({m for _, m in told}) == 1
    assert re.search(r"^ *race F-15 .*museum=count-before-flush: BROKEN I1", done.stdout, re.M), done.stdout


def test_what_the_readme_shows(tmp_path):
    """Its blocks of commands and what they print, but for the tour, which has the machine itself (test_hand.py). The picture is
    one of the middle of that."""
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as page:
        text = page.read()
    tour = re.search(r"(?m)^    \$ make run CMD='(.*?); dma ", text).group(1)
    image = hf_image.mkfs(tmp_path / "pmem0.img", "64M")
    shown = re.findall(r"(?m)^    > .*\n(?:    .*\n)*", text[text.index("> umount /t\n"):])
    assert len(shown) == 4, shown
    for block in shown:
        block = textwrap.dedent(block)
        lines = re.findall(r"(?m)^> (.*)", block)
        before = [tour] if lines == ["page"] else []
        said = run("-p", str(image), "-p", "-,size=16G,scratch", "-c", "; ".join([*before, *lines])).stdout
        said = said[said.index(f"> {lines[0]}\n"):]
        said = said[:said.index("[status")] if before else said  # the picture stands there without its status
        assert shape(said) == shape(block), said


def test_memcheck_has_nothing_to_say():
    """Locks with their step points, signals, changes of stacks, an exploration, and pages on either side of where
    valgrind itself lies, names that end within a word, copies into pages that are not there yet, a register that is
    compared where it lies: no report, and none for nothing. What counts by single steps is skipped."""
    if not shutil.which("valgrind"):
        pytest.skip("valgrind looks at the accesses, and is not installed: `make test` installs it")
    line = ("selftest trap.* policy.fixed-buffers pci.register-by-any-instruction bench.locked-lines lock.* mm.no-birth-from-zero huge.fallback-entries huge.gup-rechecks cut.remove-first-entry; "
            "explore wait.message; explore page.put-truncate model=tso; selftest libc.malloc-smp; selftest libc.malloc-smp; check")
    done = subprocess.run(["valgrind", "--error-exitcode=9", "build/host/holdfast", "-m", "64", *DIMMS, "-c", line], cwd=ROOT,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0 and not done.stderr, done.stderr + done.stdout
    assert re.search(r"^# 32 passed, 0 failed, 1 skipped$", done.stdout, re.M), done.stdout
    assert re.search(r"^ok \d+ bench.locked-lines # SKIP no exception after each instruction, as under valgrind$", done.stdout, re.M), done.stdout


def test_what_host_valgrind_reads():
    """Of a run: what passed, failed, was skipped, and how many reports, each of several lines; a group that is none."""
    text = ("==7== Invalid read of size 8\n==7==    at 0x1: memchr (in x)\n==7==  Address 0x2 is 16 bytes inside a block\n==7== \n"
            "==7== WARNING: address error disablement range(s) still in force,\n# 4 passed, 0 failed, 2 skipped\n")
    found = memcheck.reading("lock", 9, text)
    assert found == ("lock", 9, 4, 0, 2, 1) and not memcheck.is_right(found)
    assert memcheck.is_right(memcheck.reading("lock", 0, "# 4 passed, 0 failed, 2 skipped\n"))
    assert memcheck.is_right(memcheck.reading("lock", 1, "# 0 passed, 0 failed, 1 skipped\n"))
    assert not memcheck.is_right(memcheck.reading("lock", 1, "PANIC: a mutex\n"))
    with pytest.raises(SystemExit, match="no group of self-tests is called lokc"):
        memcheck.main(["lokc"])
    right = memcheck.reading("mm", 0, "# 3 passed, 0 failed, 0 skipped\n")
    assert memcheck.summary([right]) == "memcheck: 1 group, 3 passed, 0 failed, 0 skipped, 0 reports"
    assert memcheck.summary([right, found]) == "memcheck: 2 groups, 7 passed, 0 failed, 2 skipped, 1 reports: lock"


@pytest.mark.parametrize("args,sentence", [
    (["-n", "9"], "-n is 1 to 8, not 9"), (["-p", "/none/x"], "/none/x: No such file"),
    (["-p", "/none/x,size=1M"], "it can be made in a folder that is there"),
    (["-p", "-"], "needs size="), (["-p", "-,size=17179869185G"], "size= is too large: '17179869185G'"),
    (["-p", "-,size=-4096"], "size= is a number"), (["-p", "-,size="], "size= is a number"),
    (["-t", "x"], "-t is FILE:N, not x"), (["-t", ":1"], "-t is FILE:N, not :1"),
    (["-t", "/none/x:3x"], "number of -t is a number"), (["-t", "/none/x:0"], "the number of -t is 1 to 65535, not 0"),
    (["-t", "/none/x:1"], "/none/x: No such file"), (["more"], "'more' is no option"), (["-z"], "usage: holdfast")])
def test_refusals(args, sentence):
    done = run(*args)
    assert done.returncode == 1 and sentence in done.stderr, done.stderr
