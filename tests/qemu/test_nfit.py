# SPDX-License-Identifier: MIT
"""NFITs that are wrong, added through QEMU's -acpitable beside the real one.

Every table gets a verdict line of its own, with what is wrong and where; whatever the second one
says, the ranges of the first stay usable. The rows are those of the malformed-input table that the
parser's host tests have; here a firmware really delivers them and a kernel boots with them.
"""

import random
import re
import struct

import pytest

import hf_image
import hf_nfit
from hf_nfit import capabilities, dcr, dimm, flush_hint, interleave, spa, structure, table
from run import run_commands

MIB = 1 << 20
FREE = 0x2000000000  # nothing is there
REAL = 0x100000000  # pmem0 is there


def whole(base, size, index=9):
    """A good range with its DIMM: what the rows below spoil or put beside something spoilt."""
    return spa(index, base, size) + dimm(0x99, index, index + 1, size) + dcr(index + 1)


GOOD = whole(FREE, 64 * MIB)
WINDOWS = structure(4, dcr(5, windows=1)[4:32])

# name: (structures, verdict, words in the verdict line or in `nfit`, ranges of it that are used)
CASES = {
    "a good one": (GOOD, "accepted", "1 of 1 ranges usable, 1 DIMM", 1),
    "nothing in it": (b"", "accepted", "0 of 0 ranges usable", 0),
    "length 0": (GOOD + structure(0, b"", 0), "truncated", "length 0", 1),
    "length 2": (structure(0, b"abcd", 2), "truncated", "length 2", 0),
    "runs past the end": (GOOD + structure(0, b"abcd", 500), "truncated", "length 500", 1),
    "three bytes left": (GOOD + b"abc", "truncated", "", 1),
    "SPA too short": (structure(0, bytes(30)), "rejected", "(expected 56)", 0),
    "MEMDEV too long": (structure(1, bytes(60)), "rejected", "(expected 48)", 0),
    "BDW too short": (structure(5, bytes(8)), "rejected", "(expected 40)", 0),
    "DCR too short": (structure(4, bytes(20)), "rejected", "(expected 32 or more)", 0),
    "DCR with windows too short": (WINDOWS, "rejected", "80", 0),
    "interleave count lies": (interleave(1, 10, 3), "rejected", "count 10", 0),
    "interleave of nothing": (interleave(1, 0, 0), "rejected", "count 0", 0),
    "flush hint count lies": (flush_hint(1, 5, 2), "rejected", "count 5", 0),
    "flush hint of nothing": (GOOD + flush_hint(1, 0, 0), "accepted", "has no addresses", 1),
    "capabilities too high": (GOOD + capabilities(200, 3), "accepted", "200 clamped to 31", 1),
    "unknown type": (GOOD + structure(77, bytes(16)), "accepted", "unknown type 77", 1),
    "repeated": (GOOD + spa(9, FREE, 64 * MIB), "accepted", "repeats the one at 40", 1),
    "repeated differently": (GOOD + spa(9, FREE, 32 * MIB), "rejected", "different contents", 0),
    "no such SPA": (dimm(0x99, 33, 10, MIB) + dcr(10), "accepted", "range 33 is not in", 0),
    "no such DCR": (spa(9, FREE, 64 * MIB) + dimm(0x99, 9, 44, 64 * MIB), "accepted",
                    "control region 44 is not in the table", 0),
    "SPA of length 0": (whole(FREE, 0), "accepted", "rejected: length 0", 0),
    "SPA wraps around": (whole((1 << 64) - MIB, 64 * MIB), "accepted", "wraps around", 0),
    "SPA over RAM": (whole(16 * MIB, 64 * MIB), "accepted", "overlaps RAM", 0),
    "SPA over the real one": (whole(REAL, 64 * MIB), "accepted", "of NFIT #1", 0),
    "SPA over its own": (GOOD + whole(FREE + 32 * MIB, 64 * MIB, 20), "accepted", "of NFIT #2", 1),
    "SPA not aligned": (whole(FREE + 4096, 64 * MIB), "accepted", "512 pages lost", 1),
    "SPA too small": (whole(FREE + 4096, MIB), "accepted", "2 MiB or more would do", 0),
    "SPA beyond the CPU": (whole(1 << 50, 64 * MIB), "accepted", "40 address bits", 0),
    "SPA of a quarter of everything": (whole(FREE, 1 << 62), "accepted", "40 address bits", 0),
    "SPA index 0": (spa(0, FREE, 64 * MIB), "accepted", "range index 0 is reserved", 0),
    "volatile": (spa(9, FREE, 64 * MIB, hf_nfit.VOLATILE), "accepted", "volatile", 0),
    "unknown GUID": (spa(9, FREE, 64 * MIB, hf_nfit.UNKNOWN), "accepted", "", 0),
    "control range": (spa(9, FREE, 64 * MIB, hf_nfit.CONTROL), "accepted", "control", 0),
    "interleaved, half of it": (spa(9, FREE, 64 * MIB) + dimm(0x99, 9, 10, 64 * MIB, ways=2)
                                + dcr(10), "accepted", "interleaved 2 ways", 0),
    "not armed": (spa(9, FREE, 64 * MIB) + dimm(0x99, 9, 10, 64 * MIB, flags=8) + dcr(10),
                  "accepted", "not armed", 1),
    "reserved fields set": (GOOD + structure(3, b"\xff" * 20), "accepted", "1 of 1 ranges", 1),
}


def add(folder, *tables):
    """QEMU_ARGS for these tables."""
    words = []
    for n, data in enumerate(tables):
        path = folder / f"nfit{n}.bin"
        path.write_bytes(data)
        words.append(f"-acpitable file={path}")
    return " ".join(words)


def verdict_lines(text):
    """{number: line} of the verdicts printed while booting; each NFIT exactly one."""
    boot = text[:text.index("\n> ")]
    lines = re.findall(r"(?m)^NFIT #(\d+): (.*)$", boot)
    assert len({number for number, _ in lines}) == len(lines), lines
    return {int(number): line for number, line in lines}


@pytest.mark.parametrize("name", CASES)
def test_a_second_nfit(tmp_path, name):
    """Its verdict names what is wrong; the real region is bound, mounted, written and clean."""
    structures, verdict, words, used = CASES[name]
    result = run_commands("nfit; pmem; pgmap; mount pmem0 /t; write /t/f 0 works; cat /t/f; "
                          "umount /t; selftest nfit.* acpi.*; check", tmp_path,
                          QEMU_ARGS=add(tmp_path, table(structures)),
                          PMEM=hf_image.mkfs(tmp_path / "real.img", "32M"))
    assert result.status == 0, result.text
    lines = verdict_lines(result.text)
    assert set(lines) == {1, 2} and lines[1].startswith("accepted: 1 of 1 ranges usable")
    assert lines[2].startswith(verdict + ": "), lines
    shown = result.command("nfit").output
    assert words in shown[shown.index("NFIT #2"):], shown
    bound = re.findall(r"(?m)^pmem\d+: 0x([0-9a-f]+) - ", result.command("pmem").output)
    assert int(bound[0], 16) == REAL and len(bound) == 1 + used, result.command("pmem").output
    assert result.command("cat /t/f").output == "works\n"


def test_ten_nfits_at_once(tmp_path):
    """Each of ten tables gets a verdict line of its own, and good ones beside bad ones are used."""
    names = ["a good one", "length 0", "SPA too short", "interleave count lies", "SPA over RAM",
             "repeated differently", "unknown type", "SPA too small", "nothing in it", "volatile"]
    result = run_commands("nfit; pmem; check", tmp_path, PMEM=f"{tmp_path}/a.img,size=16M",
                          QEMU_ARGS=add(tmp_path, *(table(CASES[n][0]) for n in names)))
    assert result.status == 0, result.text
    lines = verdict_lines(result.text)
    assert sorted(lines) == list(range(1, 12)), lines
    for number, name in enumerate(names, 2):
        # The same range again is rejected inside its table, so only the table's own verdict counts.
        assert lines[number].startswith(CASES[name][1] + ":"), (name, lines[number])


def test_what_cannot_be_bound_is_not_accepted(tmp_path):
    """Ranges over the local APIC and over the registers of PCI functions: refused by the table, in
    the words of the binding, and no region is made of them."""
    over = whole(0xfee00000, 2 * MIB) + whole(0xfe800000, 4 * MIB, 20)
    result = run_commands("nfit; pmem; pci", tmp_path, QEMU_ARGS=add(tmp_path, table(over)),
                          PMEM=f"{tmp_path}/a.img,size=16M")
    assert result.status == 0, result.text
    assert "memory 0xfe900000" in result.command("pci").output, "the edu devices lie elsewhere"
    assert verdict_lines(result.text)[2].startswith("accepted: 0 of 2 ranges"), result.text
    shown = result.command("nfit").output
    assert "0xfee00000-0xfeffffff holds device registers that are mapped uncached" in shown, shown
    assert "0xfe800000-0xfebfffff holds the registers of a PCI function" in shown, shown
    assert len(re.findall(r"(?m)^pmem\d+: 0x", result.command("pmem").output)) == 1


def test_frames_that_are_no_nfit(tmp_path):
    """A table of 36 bytes is rejected; one with another signature is not an NFIT at all."""
    result = run_commands("nfit; acpi", tmp_path, PMEM=f"{tmp_path}/a.img,size=16M",
                          QEMU_ARGS=add(tmp_path, table()[:36], table(GOOD, signature=b"NFIX")))
    assert result.status == 0, result.text
    lines = verdict_lines(result.text)
    assert set(lines) == {1, 2} and "length 36 (expected 40 or more)" in lines[2]
    assert "NFIX" in result.command("acpi").output


def test_an_nfit_without_a_dimm(tmp_path):
    """No NVDIMM, only a table that claims one where RAM is: nothing is bound, nothing dies."""
    result = run_commands("nfit; pmem; mount pmem0 /t; selftest mm.* acpi.*; check", tmp_path,
                          PMEM="", QEMU_ARGS=add(tmp_path, table(whole(16 * MIB, 64 * MIB))))
    assert verdict_lines(result.text)[1].startswith("accepted: 0 of 1 ranges usable")
    assert "no persistent memory" in result.command("pmem").output
    assert result.command("mount pmem0 /t").status != 0
    assert [c.status for c in result.commands[3:]] == [0, 0], result.text


def test_random_tables(tmp_path):
    """Thirty tables of plausible rubbish in three boots: a verdict for each, and the real one."""
    source = random.Random(7)
    for boot in range(3):
        tables = []
        for _ in range(10):
            data = bytearray(table(GOOD, whole(FREE + (1 << 32), 64 * MIB, 20), interleave(1, 4, 4),
                                   flush_hint(0x99, 2, 2), capabilities(2, 7)))
            for _ in range(source.choice((1, 3, 30))):
                data[source.randrange(36, len(data))] = source.randrange(256)
            del data[source.randrange(40, len(data) + 1) if source.random() < 0.3 else len(data):]
            tables.append(data[:4] + struct.pack("<I", len(data)) + data[8:])
        result = run_commands("nfit; pmem; echo alive; check", tmp_path,
                              PMEM=f"{tmp_path}/{boot}.img,size=16M",
                              QEMU_ARGS=add(tmp_path, *tables))
        assert result.status == 0, result.text
        assert sorted(verdict_lines(result.text)) == list(range(1, 12)), result.text
        assert "pmem0: 0x100000000 - 0x101000000" in result.command("pmem").output
