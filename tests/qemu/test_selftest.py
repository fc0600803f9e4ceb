# SPDX-License-Identifier: MIT
"""The self-tests in the kernel: the run that counts, the KTAP it prints, and other CPU counts.

The DIMM layouts under which they run as well are in test_dimms.py, the boot paths in test_boot.py,
and that they *can* fail is test_museum.py.
"""

import re

import pytest

import hf_order
from run import run_commands

FEWEST = 80
AREAS = {"acpi", "cpu", "dax", "gup", "ipi", "lifetime", "lock", "mm", "mount", "nfit", "pci",
         "shell", "thread", "time", "tlb", "trap", "wait"}
RESULT = re.compile(r"(ok|not ok) ([0-9]+) ([a-z0-9-]+\.[a-z0-9.-]+)( # SKIP \S.*)?")


# Threads that meet by chance, thousands of times: played on one, two and eight CPUs and in the debug
# build. Another machine (DIMMs, devices, a way to boot) adds nothing to what they show.
BY_CHANCE = ("!stress.* !soak.* !mm.memremap-*-race !xfs.437 !ipi.concurrent !seed.s3.11 "
             "!lifetime.lease-poll.slow-host")


class Ktap:
    """A KTAP report, parsed by the letter: anything off the format is an assertion failure."""

    def __init__(self, text):
        lines = text.splitlines()
        assert lines[0] == "KTAP version 1", lines[:3]
        plans = [line for line in lines if re.match(r"[0-9]+\.\.", line)]
        assert len(plans) == 1 and lines[1] == plans[0], f"plans: {plans}"
        self.plan = int(re.fullmatch(r"1\.\.([0-9]+)", plans[0]).group(1))
        self.passed, self.failed, self.skipped = [], [], {}
        for line in lines[2:]:
            if re.match(r"(not )?ok\b", line):
                self.result(line)
        assert self.plan == self.count(), f"{self.plan} planned, {self.count()} reported"

    def result(self, line):
        match = RESULT.fullmatch(line)
        assert match, f"no KTAP result: {line!r}"
        assert int(match.group(2)) == self.count() + 1, f"number out of order: {line!r}"
        if match.group(4):
            assert match.group(1) == "ok", f"a skip is no failure: {line!r}"
            self.skipped[match.group(3)] = match.group(4)[len(" # SKIP "):]
        else:
            (self.passed if match.group(1) == "ok" else self.failed).append(match.group(3))

    def count(self):
        return len(self.passed) + len(self.failed) + len(self.skipped)


@pytest.fixture(scope="module")
def twice(tmp_path_factory):
    """One machine for the run that counts and for the one behind it, which `make quick` leaves out."""
    again = "" if hf_order.QUICK else "selftest; memory; "
    return run_commands(f"selftest -l; selftest; memory; {again}ps; jobs; museum; mount; map; pin; "
                        "check", tmp_path_factory.mktemp("twice"), SMP=2, APPEND="x=1 y")


@pytest.mark.xdist_group("twice")
def test_all_self_tests_on_two_cpus(twice):
    """THE run: every test once, in KTAP by the letter, none fails, only what must is skipped."""
    result = twice
    assert result.status == 0, result.text
    ktap = Ktap(result.command("selftest").output)
    assert not ktap.failed, result.text
    assert ktap.plan >= FEWEST
    listed = result.command("selftest -l").output.splitlines()
    assert sorted(ktap.passed + list(ktap.skipped)) == sorted(listed)
    assert AREAS <= {name.split(".")[0] for name in listed}
    # The default machine has all that tests ask for, but for the address bits of very large DIMMs, and
    # a device that only QEMU 11 has.
    assert not missing(ktap), ktap.skipped
    last = result.command("selftest").output.splitlines()[-1]
    assert last == f"# {len(ktap.passed)} passed, 0 failed, {len(ktap.skipped)} skipped"


def missing(ktap):
    """Skips for a reason that is no lack of the default machine."""
    return {name: reason for name, reason in ktap.skipped.items()
            if "physical address bits" not in reason and "iommu-testdev" not in reason}


@pytest.mark.parametrize("smp", [1, 8])
def test_all_self_tests_on_other_cpu_counts(tmp_path, smp):
    """One CPU skips what needs another one; eight CPUs skip nothing that two do not.

    Eight CPUs add six that must answer every call, so the default design is played on them as well;
    what the other designs do does not depend on the count. All races on one CPU: test_race.py."""
    race = "" if smp == 1 else "race all lifetime=busy-extent; "
    result = run_commands(f"selftest; {race}check", tmp_path, SMP=smp, APPEND="x=1")
    assert result.status == 0, result.text
    ktap = Ktap(result.command("selftest").output)
    assert not ktap.failed and "not ok" not in result.text, result.text
    if smp == 1:
        assert all("CPU" in reason for reason in missing(ktap).values()), ktap.skipped
        assert 1 <= len(missing(ktap)) <= 20
    else:
        assert not missing(ktap), ktap.skipped
        assert ", 0 unexpected" in result.command("race all lifetime=busy-extent").output


def test_the_list_is_names_and_claims(tmp_path):
    """-l: one name a line and nothing else; -l -v: each with a claim of its own."""
    result = run_commands("selftest -l; selftest -l -v; selftest -l tlb.* wait.deadline", tmp_path,
                          PMEM="")
    names = result.commands[0].output.splitlines()
    assert len(names) == len(set(names)) >= FEWEST
    assert all(re.fullmatch(r"[a-z0-9-]+\.[a-z0-9.-]+", name) for name in names), names
    rows = [line.split(None, 1) for line in result.commands[1].output.splitlines()]
    assert [row[0] for row in rows] == names
    claims = [row[1] for row in rows if len(row) == 2]
    assert len(set(claims)) == len(names), "two tests claim the same"
    assert all(len(claim) >= 20 for claim in claims), [c for c in claims if len(c) < 20]
    picked = result.commands[2].output.splitlines()
    assert picked == [n for n in names if n.startswith("tlb.") or n == "wait.deadline"]


def test_globs_and_wrong_words(tmp_path):
    """A glob chooses; one without a match is an error, even beside one that matches."""
    words = ["selftest nope.*", "selftest tlb.* nope.*", "selftest -x", "selftest ''",
             "selftest -l nope", "selftest wait.dead*", "selftest lifetime.zap-to-zero.*",
             "selftest lifetime.zap-to-zero.* wait.dead*", "selftest wait.* !wait.dead* !nope",
             "selftest wait.dead* !wait.*", "selftest -l wait.*", "selftest -l wait.* !wait.dead*",
             "selftest -l !wait.dead*", "selftest -l"]
    result = run_commands("; ".join(words), tmp_path, PMEM="")
    assert [command.status == 0 for command in result.commands[:6]] == [False] * 5 + [True]
    assert all("\nok " not in "\n" + c.output for c in result.commands[:5]), result.text
    assert Ktap(result.commands[5].output).plan == 1
    nothing, something, unknown, none = result.commands[6:10]
    assert nothing.status == 61 and "nothing was run: all " in nothing.output, "all were skipped"
    assert "# 0 passed, 0 failed, " in nothing.output, "and each has its line all the same"
    assert something.status == 0 and "# 1 passed, 0 failed, " in something.output
    assert unknown.status == none.status == 2 and "no test matches 'nope'" in unknown.output
    assert "every test that was chosen is taken out again" in none.output
    wait, but_dead, all_but_dead, every = (set(c.output.split()) for c in result.commands[10:])
    dead = wait - but_dead
    assert dead and all(name.startswith("wait.dead") for name in dead) and all_but_dead == every - dead
    assert result.status == 1


def kib_by_kind(memory):
    """What `memory` says is in use, by kind; "other": neither of what is kept for the next time."""
    kinds = {kind: int(kib) for kind, kib in
             re.findall(r"(page tables|page records|heap|stacks) (\d+) KiB", memory)}
    assert len(kinds) == 4, memory
    kinds["other"] = int(re.search(r"(\d+) in use", memory).group(1)) - sum(kinds.values())
    return kinds


@pytest.mark.xdist_group("twice")
def test_a_second_run_is_like_the_first(twice):
    """Self-tests leave the machine as it was: run twice, and nothing is lost or left behind."""
    result = twice
    assert result.status == 0, result.text
    before, after = (kib_by_kind(c.output) for c in result.commands if c.line == "memory")
    more = {kind: after[kind] - before[kind] for kind in after}
    assert more["other"] <= 0, f"KiB more after the second run: {more}"
    # Kept for the next time: tables, and stacks for as many threads as ever ran at once. What a test
    # used up in each run showed here: 24 KiB of tables, two stacks. The records of a page are made
    # once and the heap is malloc's: neither has a bound that a second run could tell.
    assert more["page tables"] <= 12 and more["stacks"] <= 16, f"KiB more after the second: {more}"
    assert "\nnot ok" not in result.text
    assert re.search(r" on  ", result.command("museum").output) is None
    assert "nothing is mounted" in result.command("mount").output
    assert "nothing is mapped" in result.command("map").output
    assert "nothing is pinned" in result.command("pin").output
