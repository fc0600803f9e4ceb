# SPDX-License-Identifier: MIT
"""The comparison with Linux (tests/peer), without booting it: what its page says about rows that
are made up here. `make bench-peer` itself takes minutes and is not a test."""

import json
import os
import struct
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "peer"))

import peer_columns  # noqa: E402
import peer_machine  # noqa: E402
import peer_page  # noqa: E402
import peer_report  # noqa: E402
import peer_sections  # noqa: E402
from peer_rows import BY_NAME, ROWS, SIZES  # noqa: E402
from peer_store import Measured  # noqa: E402

LINUX = """
{"bench":"calibrate","value":2000004.00,"unit":"insns","n":1,"marked":1}
{"bench":"gup.get.4k.b512","value":185.39,"unit":"insns/page","n":102400,"marked":1}
{"bench":"truncate.4k.4096","value":881.00,"unit":"insns/page","n":20480,"marked":1}
{"bench":"boot","value":6800014509.00,"unit":"insns","n":1}
"""
HOLDFAST = """
boot: done after 1394 us, 1 CPU
{"bench":"gup.get.4k.b512","value":16,"unit":"insns/page","n":9,"atomics":1,"clwb":0,"tlb":0,"ipi":0}
{"bench":"truncate.4k.4096","value":100,"unit":"insns/page","atomics":3,"clwb":0,"tlb":0,"ipi":0}
{"bench":"boot","value":2419425,"unit":"insns","n":1}
{"bench":"records.4k.bind","value":7,"unit":"bytes","n":1}
{"bench":"truncate.busy","skip":"\\"busy-extent\\" is not built"}
{"broken
"""


def run_of(text: str) -> peer_machine.Run:
    run = peer_machine.Run([])
    for seconds, line in enumerate(text.splitlines()):
        peer_machine.add_line(run, line, seconds)
    return run


def column(text: str, **values) -> dict:
    rows = run_of(text).by_name()
    for name, value in values.items():
        rows[name.replace("_", ".")]["value"] = value
    return rows


def linux_of(name: str, rows: dict, second=None) -> Measured:
    return Measured(name, "2026-01-01", [("QEMU", "7.2")], [(name, "qemu -m 2G")],
                    [rows, second or rows])


def page(first_linux=None, second_linux=None, newer=(), holdfast=None) -> str:
    linux = linux_of("Linux 6.1", first_linux or column(LINUX), second_linux or column(LINUX))
    ours = Measured("Holdfast", "2026-01-02", [], [("Holdfast", "qemu -m 2G")],
                    [holdfast or column(HOLDFAST)] * 2,
                    {"truncate.4k.4096": [("zap_vma", 49.5)]})
    return peer_page.page([linux, *newer], ours)


def line(text: str, start: str) -> str:
    found = [each for each in text.splitlines() if each.startswith(start)]
    assert found, f"no line begins with {start!r} in:\n{text}"
    return found[0]


def test_figures():
    text = page()
    assert line(text, "| `gup.get.4k.b512` |") == \
        "| `gup.get.4k.b512` | insns/page | 185.39 | 16 | 11.6 × | ≤ 16 | met |"
    assert line(text, "| `truncate.4k.4096` |") == \
        "| `truncate.4k.4096` | insns/page | 881 | 100 | 8.8 × | ≤ 80 | missed by 25 % |"
    assert line(text, "| `boot` |") == \
        "| `boot` | insns | 6 800 014 509 | 2 419 425 | 2 811 × | ≤ 30 000 000 | met |"
    assert line(text, "| `records.4k.bind` |").endswith("| – | 7 | – | ≤ 0 | missed by 7 |")


def test_skip_and_absence_are_said():
    text = page()
    assert line(text, "| `truncate.busy` |").endswith("| as long as the device | – | – | "
                                                      "≤ 2 × the same of an idle page | skipped |")
    assert line(text, "* `truncate.busy`") == '* `truncate.busy`: "busy-extent" is not built'
    assert line(text, "* `wake.put`") == "* `wake.put`: Holdfast printed no such row"
    assert line(text, "| `wake.put` |").endswith("| not run |")
    assert line(text, f"{len(ROWS)} rows: ") == (
        f"{len(ROWS)} rows: 2 targets met, 2 missed, 1 rows skipped by Holdfast, "
        f"{len(ROWS) - 5} not judged or not run.")


def test_every_row_is_on_the_page():
    text = page()
    for row in ROWS:
        line(text, f"| `{row.bench}` | {row.unit} |")
        line(text, f"| `{row.bench}` | {row.what} |")


def test_a_target_that_is_another_row():
    busy, idle = BY_NAME["truncate.busy"], {"value": 500}
    assert peer_report.verdict(busy, {"truncate.busy": {"value": 900}}) == "not judged"
    assert peer_report.verdict(busy, {"truncate.busy": {"value": 900}, "truncate.idle": idle}) == \
        "met"
    assert peer_report.verdict(busy, {"truncate.busy": {"value": 1100}, "truncate.idle": idle}) == \
        "missed by 10 %"


def test_a_missed_target_has_its_profile():
    text = page()
    assert line(text, "* `truncate.4k.4096`") == \
        "* `truncate.4k.4096`, missed by 25 %: `zap_vma` 49.50".replace("49.50", "49.5")
    assert "* `gup.get.4k.b512`, missed" not in text


def test_no_missed_target_no_profile():
    text = page(holdfast=column(HOLDFAST, truncate_4k_4096=70, records_4k_bind=0))
    assert "Missed targets" not in text and "zap_vma" not in text


def test_more_than_linux_is_said_with_its_reason():
    ours = {"munmap.4k.4096": {"value": 1, "atomics": 2, "clwb": 0}}
    theirs = [linux_of("Linux 6.1", {"munmap.4k.4096": {"value": 1, "atomics": 1.01, "clwb": 0}}),
              linux_of("Linux 7.3", {"munmap.4k.4096": {"value": 1, "atomics": 3, "clwb": 0}})]
    text = "\n".join(peer_report.more_than_linux(theirs, ours))
    assert line(text, "* `munmap.4k.4096`, atomics: 2, Linux 1.01: one takes the page-table entry")
    assert peer_report.more_than_linux(theirs[1:], ours)[0].startswith("In no row")
    ours = {"fallocate.8g": {"clwb": 9, "fences": 5, "tlb": 1}}
    theirs = [linux_of("Linux 6.1", {"fallocate.8g": {"clwb": 0, "fences": 4, "tlb": 0}})]
    text = "\n".join(peer_report.more_than_linux(theirs, ours))
    assert "lines written back: 9, Linux 0: there is no journal: " in text
    assert "TLB invalidations: 1, Linux 0: nobody has said why yet." in text


def test_as_much_as_linux_is_not_more():
    ours = {"munmap.4k.4096": {"value": 1, "atomics": 1.01, "clwb": 0}}
    theirs = [linux_of("Linux 6.1", ours)]
    assert peer_report.more_than_linux(theirs, ours)[0].startswith("In no row")


LIFETIMES = {"lifetime.busy-extent.truncate.idle": {"value": 1000},
             "lifetime.busy-extent.truncate.busy": {"value": 1200},
             "lifetime.unaware.put.last.waiter": {"skip": "nobody waits"},
             "lifetime.lease-poll.poll.wakeups": {"value": 101}}


def test_lifetimes_side_by_side():
    text = "\n".join(peer_sections.lifetimes(LIFETIMES))
    assert line(text, "| `truncate.busy` | insns |").endswith("| – | – | – | – | – | – | 1 200 |")
    assert line(text, "| `poll.wakeups` | wakeups/s |").endswith("| – | 101 | – | – | – | – | – |")
    assert line(text, "* `put.last.waiter` of unaware") == \
        "* `put.last.waiter` of unaware: nobody waits"
    assert line(text, "`truncate.busy` under").endswith("is 1.200 times `truncate.idle`; it may be "
                                                        "2 times: met.")
    slow = dict(LIFETIMES, **{"lifetime.busy-extent.truncate.busy": {"value": 2200}})
    assert "missed by 10 %" in peer_sections.busy_verdict(slow)
    assert "Not run." in peer_sections.lifetimes({})


def growing(extra: float) -> dict:
    """A fixed part of 1000, 50 a page, and `extra` for each page of the largest size."""
    return {f"growth.gup.4k.{n}": {"value": 1000 / n + 50 + (extra if n == 65536 else 0)}
            for n in SIZES}


def test_growth_is_judged_by_further_pages():
    flat, grown = (line("\n".join(peer_sections.growth(growing(extra))), "| `growth.gup.4k.N`")
                   for extra in (1, 10))
    assert flat.endswith("50 to 51.33, 2.7 %: flat |")
    assert grown.endswith("50 to 63.33, 26.7 %: grows |")
    none = "\n".join(peer_sections.growth({}))
    assert line(none, "| `growth.fault.4k.N`").endswith("| not run |")


def test_cpus_side_by_side():
    rows = {f"smp.fault.{n}": {"value": value} for n, value in ((1, 100), (2, 101), (4, 119))}
    rows["smp.fault.8"] = {"value": 110}
    text = "\n".join(peer_sections.cpus(rows))
    assert line(text, "| `smp.fault.N`").endswith("| 100 | 101 | 119 | 110 | 1.190 ×: met |")
    rows["smp.fault.8"] = {"value": 120}
    text = "\n".join(peer_sections.cpus(rows))
    assert line(text, "| `smp.fault.N`").endswith("| 1.200 ×: missed |")
    assert line(text, "| `smp.gup.N`").endswith("| – | – | – | – | not run |")


def test_where_flushing_everything_pays():
    rows = {name: {"value": value} for name, value in
            (("tlb.page", 100), ("tlb.all", 2000), ("tlb.load", 10), ("tlb.refill", 80))}
    assert peer_sections.break_even(rows) == (20, 70)
    assert "as much as 20 pages, plus 70 ns" in "\n".join(peer_sections.tlb(rows))
    assert peer_sections.break_even({}) is None


def test_every_machine_of_holdfast_is_counted():
    """The steps that are announced are the steps that come."""
    assert peer_columns.HOLDFAST_STEPS == len(peer_columns.MACHINES) + 2
    assert peer_columns.LINUX_STEPS == len(peer_columns.LINUX) + 1
    other = peer_columns.Machine(["smp.*"], smp=8)
    assert peer_columns.has_rows({"smp.gup.2": {"skip": "one CPU"}}, other)
    assert not peer_columns.has_rows({"gup.get": {"value": 1}}, other)
    config = peer_machine.machine(1, 16, smp=8)
    assert config.smp == 8 and peer_machine.machine(1).smp == 1


def test_repeats():
    text = page()
    assert "Linux 6.1: 4 of 4 rows gave the same digits in both runs." in text
    assert "Holdfast: 4 of 4 rows gave the same digits in both runs." in text
    text = page(None, column(LINUX, truncate_4k_4096=885.0, boot=6500000000.0,
                             gup_get_4k_b512=190.0))
    assert "Linux 6.1: 1 of 4 rows gave the same digits in both runs." in text
    twice = text[text.index("## Run twice"):]
    assert line(twice, "| `truncate.4k.4096` |").endswith("| 881 | 885 | 0.452 % | none |")
    assert line(twice, "| `gup.get.4k.b512` |").endswith("| a difference |")
    assert line(twice, "| `boot` |").endswith("| 4.412 % | none |")


def test_a_row_that_ran_once_of_twice_is_a_difference():
    second = column(LINUX)
    del second["boot"]
    assert line(page(None, second), "| `boot` | 6 800 014 509 | – |").endswith("| a difference |")


def test_counts_belong_to_the_marked_rows_in_order(tmp_path):
    counts = tmp_path / "counts"
    lines = [{"insns": 2000002, "atomics": 0, "clwb": 0, "tlb": 0, "fences": 0, "cr3": 0},
             {"insns": 94924, "atomics": 1024, "clwb": 0, "tlb": 0, "fences": 0, "cr3": 0},
             {"insns": 3597758, "atomics": 8192, "clwb": 262144, "tlb": 4096, "fences": 4096,
              "cr3": 0}]
    counts.write_text("".join(json.dumps(each) + "\n" for each in lines))
    run = run_of(LINUX)
    peer_columns.add_counts(run, str(counts))
    rows = run.by_name()
    assert rows["gup.get.4k.b512"]["atomics"] == 2
    assert rows["truncate.4k.4096"]["clwb"] == 64
    assert "atomics" not in rows["boot"]
    text = page(rows)
    assert line(text, "| `truncate.4k.4096` | 2 / 3 |") == \
        "| `truncate.4k.4096` | 2 / 3 | 64 / 0 | 1 / 0 | 0 / 0 | 1 / – | 0 / – | more atomics |"
    assert line(text, "* `truncate.4k.4096`, atomics") == \
        "* `truncate.4k.4096`, atomics: 3, Linux 2: nobody has said why yet."
    assert "counted 2 000 002 instructions" in text
    counts.write_text(json.dumps(lines[0]) + "\n")
    with pytest.raises(peer_machine.PeerError, match="1 pairs of marks, and Linux printed 3"):
        peer_columns.add_counts(run_of(LINUX), str(counts))


def test_the_terminal_table():
    text = peer_report.plain_table(column(HOLDFAST))
    assert line(text, "gup.get.4k.b512").split() == ["gup.get.4k.b512", "16", "insns/page", "16",
                                                     "met"]
    assert 'skipped: "busy-extent" is not built' in line(text, "truncate.busy")


def test_wall_is_the_time_of_the_line():
    assert run_of(HOLDFAST).wall("^boot: done") == 1
    assert run_of(HOLDFAST).wall("^never") is None


def test_both_machines_are_the_same(tmp_path, monkeypatch):
    """The command lines differ in what is booted, and in nothing else."""
    monkeypatch.setattr(peer_machine, "PEER", str(tmp_path))
    commands = []
    for media in (["-kernel", "a"], ["-kernel", "b", "-initrd", "c", "-append", "d"]):
        config = peer_machine.machine(1, 16)
        commands.append(peer_machine.hf_command.qemu_command(config, media, peer_machine.SERIAL))
        at = commands[-1].index("-kernel")
        del commands[-1][at:at + len(media)]
    assert commands[0] == commands[1]
    text = " ".join(commands[0])
    for part in ("-smp 1 ", "-cpu max,-erms ", "-m 2048M,", "size=17179869184", "share=on",
                 "-icount shift=0,sleep=off -rtc base=2026-01-01,clock=vm -seed 1"):
        assert part in text


def test_info_block():
    """As Linux checks it: signature, version 1.4, records in RAM, and a checksum over all of it."""
    block = peer_machine.info_block(16 << 30)
    assert len(block) == 4096 and block.startswith(b"NVDIMM_PFN_INFO\0")
    assert struct.unpack_from("<HHQQI", block, 52) == (1, 4, 2 << 20, (16 << 30) // 4096 - 512, 1)
    assert struct.unpack_from("<IIH", block, 84) == (2 << 20, 4096, 64)
    stored, = struct.unpack_from("<Q", block, 4088)
    low = high = 0
    for word in struct.unpack("<1022I", block[:4088]) + (0, 0):
        low = (low + word) % 2 ** 32
        high = (high + low) % 2 ** 32
    assert stored == high << 32 | low
