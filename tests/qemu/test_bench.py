# SPDX-License-Identifier: MIT
"""`bench`: the shape of its lines, and that counted instructions repeat to the digit."""

import json
import re

import pytest

from run import run_commands


def test_counted_instructions_repeat_to_the_digit(tmp_path):
    """ICOUNT=1: two runs print the same bytes, times and addresses included."""
    texts = []
    for _ in range(2):
        for image in tmp_path.glob("*.img"):
            image.unlink()
        result = run_commands("memory; race dma-truncate; ps; bench gup.*; bench memremap.*",
                              tmp_path, ICOUNT=1)
        assert result.status == 0, result.text
        texts.append(result.text)
    assert texts[0] == texts[1]


ROW = {"bench", "value", "unit", "n"}
UNITS = r"(insns|ns)(/page|/record)?|bytes|wakeups/s|waits"


@pytest.mark.parametrize("icount", ["", "1"])
def test_bench_speaks_json(tmp_path, icount):
    """One JSON object a line, named as asked, a unit, or a reason why it cannot run."""
    result = run_commands("bench; bench gup.get.*; bench nope.*", tmp_path, ICOUNT=icount)
    assert [c.status == 0 for c in result.commands] == [True, True, False], result.text
    rows = [json.loads(line) for line in result.commands[0].output.splitlines()]
    assert len({row["bench"] for row in rows}) == len(rows) >= 25
    for row in rows:
        assert set(row) == {"bench", "skip"} or ROW <= set(row), row
        if "skip" not in row:
            assert re.fullmatch(UNITS, row["unit"]), row
            assert row["unit"].startswith(("insns" if icount else "ns", "bytes", "wakeups", "waits")), row
    some = [json.loads(line)["bench"] for line in result.commands[1].output.splitlines()]
    assert some == [row["bench"] for row in rows if row["bench"].startswith("gup.get.")]
    by_name = {row["bench"]: row for row in rows}
    assert {"boot", "memory.prompt", "memremap.1g", "memremap.64g", "fault.4k.read.present",
            "fault.4k.write.new", "gup.get.4k.b1", "gup.get.4k.b512", "truncate.4k.4096",
            "punch.4k.4096", "wake.put", "pread.4k", "pread.1m", "pwrite.4k", "pwrite.1m",
            "map.1g.4k", "map.1g.2m", "fork.1g.4k", "fork.1g.2m", "mount.1t"} <= set(by_name)
    skipped = {row["bench"] for row in rows if "skip" in row}
    run_anywhere = ("fault.", "gup.", "wake.", "pread.", "pwrite.", "dma.", "region.")
    assert not [name for name in skipped if name.startswith(run_anywhere)], skipped
    # A unit is told to forget once, when a mapping ends, however many pages it had.
    assert [by_name[f"dma.waits.{kind}"]["value"] for kind in ("4k.b512", "4k.scattered", "2m.b512")] == [1, 1, 1]
    if icount:
        grown = by_name["memremap.64g"]["value"] - by_name["memremap.1g"]["value"]
        assert grown <= 63 * 64, "more than a page-table entry per GiB"


SIZES = [4 ** n for n in range(2, 9)]


def rows_of(result):
    assert result.status == 0, result.text
    rows = [json.loads(line) for line in result.commands[0].output.splitlines()]
    assert not [row for row in rows if "skip" in row], rows
    return {row["bench"]: row["value"] for row in rows}


def test_a_page_costs_the_same_among_many(tmp_path):
    """growth.*: what each further page costs, from 64 to 65,536 pages, stays within a tenth."""
    rows = rows_of(run_commands("bench growth.*", tmp_path, ICOUNT="1"))
    for work in ("gup", "fault", "truncate"):
        total = [size * rows[f"growth.{work}.4k.{size}"] for size in SIZES]
        pairs = list(zip(SIZES[1:], total[1:]))
        slopes = [(t2 - t1) / (n2 - n1) for (n1, t1), (n2, t2) in zip(pairs, pairs[1:])]
        assert len(slopes) == 5 and min(slopes) > 0, (work, slopes)
        assert max(slopes) <= 1.1 * min(slopes), (work, slopes)
        assert total[-1] / SIZES[-1] <= 1.1 * total[1] / SIZES[1], (work, total)


def test_cpus_do_not_slow_each_other(tmp_path):
    """smp.*: the work of one operation is below 1.2 times as much with 8 CPUs as with one."""
    rows = rows_of(run_commands("bench smp.*", tmp_path, ICOUNT="1", SMP="8"))
    for work in ("fault", "gup"):
        cost = [rows[f"smp.{work}.{cpus}"] for cpus in (1, 2, 4, 8)]
        assert max(cost) < 1.2 * cost[0], (work, cost)


LIFETIMES = ("unaware", "lease-poll", "idle-at-one", "zap-to-zero", "counted-map", "refuse-busy",
             "busy-extent")
WAIT_FOR_PUNCH = LIFETIMES[1:5]  # and for truncate, too, but for lease-poll (B-7)


def test_lifetimes_side_by_side(tmp_path):
    """lifetime.LT.*: who waits, and what the default design pays for not doing so."""
    result = run_commands("bench lifetime.*; bench truncate.*", tmp_path, ICOUNT="1")
    rows = {row["bench"]: row for row in map(json.loads, (result.commands[0].output +
                                                          result.commands[1].output).splitlines())}
    got = {lt: {name.split(".", 2)[2]: row for name, row in rows.items()
                if name.startswith(f"lifetime.{lt}.")} for lt in LIFETIMES}
    for lt in LIFETIMES:
        assert {"truncate.idle", "truncate.busy", "punch.idle", "punch.busy", "put.last",
                "put.last.waiter", "put.freed", "held.bytes"} <= set(got[lt]), lt
        # A thread that slept is not single-stepped.
        assert ("atomics" not in got[lt]["punch.busy"]) == (lt in WAIT_FOR_PUNCH), lt
        assert ("skip" in got[lt]["put.freed"]) == (lt in (*WAIT_FOR_PUNCH[1:], "refuse-busy")), lt
        assert ("skip" in got[lt]["put.last.waiter"]) == (lt in ("unaware", "refuse-busy")), lt
        leases = 0 if lt != "lease-poll" else 1
        assert (got[lt]["held.bytes"]["value"] > 32) == leases, lt
    default = got["busy-extent"]
    for work in ("truncate", "punch"):
        assert default[f"{work}.busy"]["value"] <= 2 * default[f"{work}.idle"]["value"], work
    assert rows["truncate.busy"]["value"] <= 2 * rows["truncate.idle"]["value"]
    polls = got["lease-poll"]
    assert 0.9 <= polls["poll.looks"]["value"] <= 1.1, "the poll comes once a second"
    assert 90 <= polls["poll.wakeups"]["value"] <= 110, "the sleeper looks every 10 ms"


def test_two_counted_cpus_wait_for_each_other(tmp_path):
    """With counted instructions CPUs take turns: who waits for another CPU lets it have its own.

    Without the PAUSE of thread_yield() the second one did not end in 100 s."""
    result = run_commands("selftest tlb.count-after-flush tlb.count-last-everywhere", tmp_path,
                          ICOUNT="1", SMP="2")
    assert "# 2 passed, 0 failed, 0 skipped" in result.text, result.text
