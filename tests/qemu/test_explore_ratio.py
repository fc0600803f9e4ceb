# SPDX-License-Identifier: MIT
"""`make explore-ratio`: DPOR takes a fiftieth of brute force's executions, by the page; a few rows again."""

import os
import re
import statistics
import sys

import pytest

import hf_make
from hf_config import ROOT

sys.path.insert(0, os.path.join(ROOT, "tests", "tools"))
import explore_ratio  # noqa: E402
import explore_table  # noqa: E402
import progress  # noqa: E402

ROW = re.compile(r"^\| (\S+) \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \| (\d+) \| ([\d,.]+) \|$", re.M)
AGAIN = ("wait.message", "litmus.interrupt-own", "page.get-put", "busy.mark-put", "file.put-put", "dma.munmap")


def page_rows():
    part = re.search(r"<!-- ratio -->(.*?)<!-- end -->", explore_table.read(explore_table.PAGE), re.S)[1]
    rows = [explore_ratio.Row(m[1], *(int(n.replace(",", "")) for n in m.groups()[1:5])) for m in ROW.finditer(part)]
    return part, {row.name: row for row in rows}


def test_the_median_scenario_takes_dpor_a_fiftieth():
    part, rows = page_rows()
    assert len(rows) >= 50 and set(rows) <= explore_table.names_in_sources()
    assert "\n".join(explore_ratio.table(rows.values())) in part, "the rows are not what the tool writes"
    assert statistics.median(map(explore_ratio.ratio, rows.values())) >= 50
    assert all(row.dpor <= row.sleep <= row.brute for row in rows.values())


def test_some_rows_come_again():
    """Those of which brute force ends soon: the same executions, and the same outcomes by all three."""
    hf_make.make("host")
    _, rows = page_rows()
    for name in AGAIN:
        assert explore_ratio.row(name, 5000) == rows[name]


def test_what_does_not_end_is_no_row():
    hf_make.make("host")
    assert explore_ratio.row("file.put-put", 1000) is None, "brute force takes 1,176"
    assert explore_ratio.row("litmus.locks-crossed", 1000) is None, "which breaks"


def test_several_at_a_time(capsys):
    """The same rows in the same order, and a line for each scenario; JOBS that is no number is refused."""
    hf_make.make("host")
    _, rows = page_rows()
    names = ["busy.mark-put", "litmus.locks-crossed", "wait.message", "litmus.interrupt-own"]
    with progress.Progress("exploring", len(names)) as bar:
        found = explore_ratio.rows_of(names, 1000, 3, bar)
    assert found == [rows[name] for name in names if name in rows] and len(found) == 3
    assert sorted(line.split(":")[0] for line in capsys.readouterr().out.splitlines()) == sorted(names)


def test_jobs_are_a_number(monkeypatch, capsys):
    monkeypatch.setenv("JOBS", "two")
    with pytest.raises(SystemExit):
        explore_ratio.main([])
    assert "explore-ratio: JOBS=two is no number of processes: 1 to 9999" in capsys.readouterr().err
