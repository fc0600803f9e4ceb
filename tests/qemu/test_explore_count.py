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
import explore_count_kernel  # noqa: E402

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
    outside = {"cmd_explore.c", "names.c", "token.c", "trail.c", "json.c", "home_kernel.c"}
    outside |= {"explore.h", "machine.h", "told.h", "json.h"}
    files = {name for name in os.listdir(folder) if name.endswith((".c", ".h")) and not name.startswith("test_")}
    assert files - known == outside


def table_of_the_page(mark):
    """{scenario: its numbers}, as `make explore-count` wrote them."""
    page = explore_count.explore_table.read(explore_count.explore_table.PAGE)
    part = re.search(rf"<!-- {mark} -->(.*?)<!-- end -->", page, re.S)[1]
    return {m[1]: tuple(int(n.replace(",", "")) for n in m[2].split("|"))
            for m in re.finditer(r"^\| `(\S+)` \| ([\d,| ]+) \|$", part, re.M)}


def test_the_page_has_every_scenario_below_its_limit():
    rows = table_of_the_page("cost")
    assert set(rows) == {*explore_count.LIMITS, *explore_count.NEAR_FORTY, *explore_count.CHANGE_TABLES}
    assert all(rows[name][2] <= limit for name, limit in explore_count.LIMITS.items())
    assert all(rows[name][4] <= explore_count.AIM for name in [*explore_count.NEAR_FORTY, "file.gup-gup"])
    assert all(max(rows[name][2], rows[name][4]) <= explore_count.AIM_TABLES for name in explore_count.CHANGE_TABLES)


def test_the_page_has_what_it_costs_in_the_kernel():
    rows = table_of_the_page("cost-kernel")
    assert set(rows) == {*explore_count.NEAR_FORTY, "file.gup-gup", *explore_count.CHANGE_TABLES}
    assert not list(explore_count_kernel.above({name: ((row[1], row[0]), (row[3], 0)) for name, row in rows.items()},
                                               explore_count.CHANGE_TABLES))


def test_what_is_above_is_told():
    """By brute force alone where no tables change, and by either where they do."""
    found = {"a": ((90000, 1), (40000, 1)), "b": ((1, 1), (40001, 1)),
             "tables.a": ((200001, 1), (1, 1)), "tables.b": ((1, 1), (200000, 1))}
    assert list(explore_count_kernel.above(found, ["tables.a", "tables.b"])) == ["b in the kernel", "tables.a in the kernel"]
    cost = explore_count.Cost(1, 1, 20001, {}, {})
    found = {name: explore_count.Row(cost, cost) for name in ("peer.busy", "file.gup-gup", "entry.two-lock")}
    assert list(explore_count.above(found)) == ["file.gup-gup by DPOR", "file.gup-gup by brute force", "entry.two-lock by brute force"]


def test_an_execution_costs_no_more_than_it_may():
    """Two of them by DPOR, and the dearest one by brute force, which take seconds; the others are for `make explore-count`."""
    if not shutil.which("valgrind"):
        pytest.skip("valgrind counts the instructions, and is not installed: `make test` installs it")
    hf_make.make("host")
    for name in ["wait.message", "page.put-wait"]:
        cost = explore_count.cost(name)
        executions, events, instructions = table_of_the_page("cost")[name][:3]
        assert cost.instructions <= explore_count.LIMITS[name], name
        assert (executions, events) == (cost.executions, cost.events), name
        assert abs(instructions / cost.instructions - 1) < 0.15, f"{name}: the page says {instructions:,}"
    assert explore_count.cost("file.append-append strategy=brute", 200).instructions <= explore_count.AIM
