# SPDX-License-Identifier: MIT
"""`make explore-count`: what an execution costs stays below its limits, and the page says what it is."""

import collections
import os
import re
import shutil
import sys

import pytest

import hf_make
from hf_config import ROOT

sys.path.insert(0, os.path.join(ROOT, "tests", "tools"))
import explore_count  # noqa: E402

OUT = """desc: Trace file: none
cmd: holdfast
events: Ir
fl=/x/tests/explore/race.c
fn=x_race_sync
10 100
fi=/x/tests/explore/internal.h
20 30
fe=/x/tests/explore/race.c
11 5
fl=/x/mm/page/page.c
fn=page_put
7 2
summary: 137
"""


def test_what_cachegrind_wrote_is_read(tmp_path):
    """By function, what was put in line included; by file, where each line stands."""
    (tmp_path / "out").write_text(OUT)
    files, functions = explore_count.sums(tmp_path / "out")
    assert functions == collections.Counter({"x_race_sync": 135, "page_put": 2})
    assert files["/x/tests/explore/race.c"] == 105 and files["/x/tests/explore/internal.h"] == 30
    assert "races" in explore_count.part_of("/x/tests/explore/race.c")
    assert explore_count.part_of("/x/mm/page/page.c") == explore_count.CODE


def test_every_file_of_the_engine_is_a_part():
    """One that is none would be counted as the code under test."""
    known = {name for names in explore_count.PARTS.values() for name in names.split()}
    folder = os.path.join(ROOT, "tests", "explore")
    assert known <= set(os.listdir(folder))
    outside = {"cmd_explore.c", "names.c", "token.c", "trail.c", "test_explore.c", "test_engine.c",
               "home_kernel.c"}
    outside |= {"explore.h", "machine.h"}
    assert {name for name in os.listdir(folder) if name.endswith((".c", ".h"))} - known == outside


def test_an_execution_costs_no_more_than_it_may():
    if not shutil.which("valgrind"):
        pytest.skip("valgrind counts the instructions, and is not installed: `make test` installs it")
    hf_make.make("host")
    found = explore_count.costs(list(explore_count.LIMITS))
    assert {name: cost.instructions for name, cost in found.items()
            if cost.instructions > explore_count.LIMITS[name]} == {}
    page = explore_count.explore_table.read(explore_count.explore_table.PAGE)
    for name, cost in found.items():
        told = re.search(rf"^\| `{re.escape(name)}` \| (\d+) \| (\d+) \| ([\d,]+) \|", page, re.M)
        assert (int(told[1]), int(told[2])) == (cost.executions, cost.events), name
        assert abs(int(told[3].replace(",", "")) / cost.instructions - 1) < 0.15, f"{name}: the page says {told[3]}"
