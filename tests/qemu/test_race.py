# SPDX-License-Identifier: MIT
"""The race between a device and the file layer: by `race`, and by hand with ps watching."""

import os
import re
import sys

import pytest

import hf_command
import hf_image
import hf_process
from hf_config import ROOT
from run import Machine, run_commands
from test_selftest import BY_CHANCE

sys.path.insert(0, os.path.join(ROOT, "tests", "tools"))

import transcripts  # noqa: E402

RACES = ("dma-punch", "dma-truncate")
LIFETIMES = ("unaware", "lease-poll", "idle-at-one", "zap-to-zero", "counted-map", "refuse-busy",
             "busy-extent")
# By name, from the catalogue of weaknesses.
CATALOGUE = ("A-1", "A-2", *(f"B-{n}" for n in range(1, 8)), *(f"D-{n}" for n in range(1, 11)),
             *(f"E-{n}" for n in range(1, 8)), "C-1", "C-2", "C-3", "C-4", "C-5", "C-6", "C-7", "C-8",
             *(f"F-{n}" for n in range(1, 17)), *(f"G-{n}" for n in range(1, 6)))
# Faults of the series of 2017: safe in every design, and each broken by a switch of its own.
LEASES = tuple(f"L-{n}" for n in range(1, 8))
# Every way for a block to go: 36 cells a line.
MATRIX = tuple(f"matrix-{way}" for way in ("truncate", "punch", "zero", "collapse", "insert", "evict",
                                           "umount", "unbind", "exchange", "cow"))
LINE = re.compile(r"race (\S+) lifetime=(\S+): (safe|BROKEN I[1-7] \S.*|HUNG I4 \S.*|skip \S.*)")
# One rule switched off: no cell of the table, so indented.
EXHIBIT = re.compile(r"  race (\S+) lifetime=(\S+) museum=(\S+): (BROKEN I[1-7]|HUNG I4) \S.*")
# A later era of a design: no cell of the table either.
ERA = re.compile(r"  race (\S+) lifetime=(\S+) era=(\S+): (safe|BROKEN I[1-7] \S.*|HUNG I4 \S.*)")
# A step of a script: its number, or none, and a column for each of two to four actors.
STEP = re.compile(r"  [ \d][ \d] \|( [^|]+ \|){2,4}")


def verdicts(output):
    """{(race, lifetime): verdict}: the lines in column 1, one for each cell, and nothing else."""
    found = {}
    for line in output.splitlines():
        if line.startswith((" ", "race all: ", "#")):
            continue
        match = LINE.fullmatch(line)
        assert match, f"neither a verdict nor indented: {line!r}"
        assert match.group(1, 2) not in found, f"two verdicts for {match.group(1, 2)}"
        found[match.group(1, 2)] = match.group(3)
    return found


@pytest.fixture(scope="module")
def every(tmp_path_factory):
    """One machine for all races, and for what docs/lifetimes.md quotes, which is run behind them."""
    quoted = [line for line in transcripts.commands(transcripts.page()) if line != "race all"]
    return run_commands("; ".join(["race all", "race", "check", "mount", *quoted]),
                        tmp_path_factory.mktemp("every"), TIMEOUT=600)


@pytest.mark.xdist_group("every race")
def test_the_page_says_what_the_machine_says(every):
    """docs/lifetimes.md: every verdict that it quotes, and the table of all cells."""
    text = transcripts.page()
    said = {command.line: command.output.strip("\n") for command in every.commands}
    assert transcripts.same_verdicts(text, transcripts.told(text, said)), "run 'make docs'"


@pytest.mark.parametrize("path", transcripts.SESSIONS, ids=os.path.basename)
def test_the_page_quotes_a_machine(path):
    """docs/leases.md and iommu.md: each machine that they quote says that today, but for times."""
    quoted = transcripts.sessions(path)
    assert quoted
    for prepare, text in quoted:
        said = transcripts.session(prepare, text)
        assert transcripts.without_times(said) == transcripts.without_times(text), "run 'make docs'"


@pytest.mark.xdist_group("every race")
def test_race_all_is_as_expected(every):
    """Every race under every lifetime, each verdict as the table says; nothing mounted before."""
    result = every
    assert result.rc in (hf_process.RC_OK, hf_process.RC_FAILED), result.text  # the page's are BROKEN
    assert not any(result.command(line).status for line in ("race all", "race", "check", "mount"))
    output = result.command("race all").output
    cells = verdicts(output)
    races = {name for name, _ in cells}
    assert races >= {*RACES, *CATALOGUE, *LEASES, *MATRIX}
    assert {v for (race, _), v in cells.items() if race in LEASES} == {"safe"}
    assert set(cells) == {(race, lifetime) for race in races for lifetime in LIFETIMES}
    assert output.splitlines()[-1] == f"race all: {len(cells)} cells, 0 unexpected"
    assert "UNEXPECTED" not in output
    assert not [v for v in cells.values() if v.startswith("skip")], "the default machine has it all"
    assert {v for (_, lt), v in cells.items() if lt == "busy-extent"} == {"safe"}
    for name in RACES:
        assert cells[name, "unaware"].startswith("BROKEN I1 ")
        assert cells[name, "idle-at-one"] == "safe"
    exhibits = [line for line in output.splitlines() if " museum=" in line]
    assert exhibits and all(EXHIBIT.fullmatch(line) for line in exhibits), exhibits
    assert f"  {len(exhibits)} time(s) with a rule switched off; 0 skipped" in output
    switched = {EXHIBIT.fullmatch(line).group(1, 3) for line in exhibits}
    assert {race for race, _ in switched} >= set(LEASES)
    assert len({switch for race, switch in switched if race in LEASES}) == len(LEASES), switched
    eras = [line for line in output.splitlines() if " era=" in line]
    assert eras and all(ERA.fullmatch(line) for line in eras), eras
    measured = [line for line in eras if " era=5.18: " not in line]
    assert f"  {len(eras)} cell(s) of later eras, {len(measured)} of them of an era that was" in output
    listed = [line.split()[0] for line in result.command("race").output.splitlines()]
    assert set(listed) == races and len(listed) == len(races)
    assert listed.index("C-1") < listed.index("C-2") < listed.index("dma-punch")
    assert "nothing is mounted" in result.command("mount").output


def test_an_era_by_itself(tmp_path):
    """An era is part of the line where it was asked for, and names its design; a mount has it, and
    says so; what no era is, is refused with those that there are."""
    races = ("race C-5 lifetime=idle-at-one era=6.1", "race C-5 era=4.17", "race E-7 era=7.3")
    refused = ("race E-7 era=6.2", "race E-7 lifetime=counted-map era=6.1",
               "mount pmem0 /t lifetime=unaware era=6.1", "race all era=6.1")
    by_hand = ("mount pmem0 /t era=6.1; mount; write /t/f 0 x; map /t/f; pin m1; unmap m1; umount /t;"
               " pmem unbind pmem0; mount pmem0 /t lifetime=idle-at-one; unpin p1;"
               " pmem unbind pmem0")
    result = run_commands("; ".join(races + refused) + "; " + by_hand, tmp_path)
    lines = [result.command(race).output.splitlines()[-1] for race in races]
    assert lines[0].startswith("race C-5 lifetime=idle-at-one era=6.1: HUNG I4 "), lines
    assert lines[1] == "race C-5 lifetime=idle-at-one era=4.17: safe", lines
    assert lines[2].startswith("race E-7 lifetime=counted-map era=7.3: HUNG I4 "), lines
    assert " completion " in result.command(races[0]).output, "6.1 is deaf there, and only there"
    one, other, none, every = (result.command(line) for line in refused)
    assert "4.17 (idle-at-one)" in one.output and "7.3 (counted-map)" in one.output, one.output
    assert "6.15 (6.15 - 7.2), 7.3 (7.3)" in other.output, other.output
    assert "unaware has one era only" in none.output, none.output
    assert {each.status for each in (one, other, none, every)} == {22}, result.text
    assert "pmem0 on /t, lifetime idle-at-one, era 6.1: " in result.command("mount").output
    first, second = [c for c in result.commands if c.line == "pmem unbind pmem0"]
    assert first.status == 16 and "idle-at-one, era 6.1 would take" in first.output, first.output
    again = result.command("mount pmem0 /t lifetime=idle-at-one")
    assert again.status == 16 and "pin p1" in again.output, "another era, and a page is held"
    assert second.status == 0, second.output


@pytest.mark.parametrize("cell,verdict", [
    ("C-1 lifetime=idle-at-one", "BROKEN I1 "), ("C-1 lifetime=counted-map", "safe"),
    ("C-2 lifetime=zap-to-zero", "BROKEN I1 "), ("C-3 lifetime=idle-at-one", "BROKEN I1 "),
    ("C-4 lifetime=idle-at-one", "BROKEN I2 "), ("C-6 lifetime=idle-at-one", "HUNG I4 "),
    ("C-5 lifetime=idle-at-one", "safe"), ("C-6 lifetime=busy-extent", "safe"),
])
def test_a_cell_by_itself(tmp_path, cell, verdict):
    """One line in column 1, the interleaving above it; status 0 for `safe` and nothing else."""
    result = run_commands(f"race {cell}; check; mount", tmp_path)
    command = result.commands[0]
    found = verdicts(command.output)
    assert list(found) == [tuple(cell.split(" lifetime="))]
    assert list(found.values())[0].startswith(verdict), command.output
    assert (command.status == 0) == (verdict == "safe")
    steps = [line for line in command.output.splitlines() if " | " in line]
    assert len(steps) > 3 and all(STEP.fullmatch(line) for line in steps), command.output
    numbers = [int(line[:4]) for line in steps if line[:4].strip()]
    assert numbers == list(range(1, len(numbers) + 1))
    assert "violated" not in result.text, "whatever broke is mended afterwards"
    assert "nothing is mounted" in result.command("mount").output


def test_a_hang_is_reported(tmp_path):
    """Who waits for which page, who holds it and where in the code it was taken; then it ends."""
    result = run_commands("race C-6 lifetime=idle-at-one; museum plain-put on; "
                          "race C-5 lifetime=idle-at-one; museum all off; "
                          "race C-5 lifetime=idle-at-one; ps", tmp_path)
    starved, _, lost, _, after, ps = result.commands
    assert re.search(r"(?m)^  T2 waits for pfn (0x[0-9a-f]+) .*; would be woken by last put of the "
                     r"page.*\n  pfn \1: 2 reference\(s\), .* held by: a pin of the script "
                     r"\(thread \d+, for \d+ ms, taken in \w+\+0x[0-9a-f]+\)$",
                     starved.output), starved.output
    assert "  watchdog: nothing runnable, no event pending\n" in lost.output
    assert re.search(r"(?m)^race C-5 lifetime=idle-at-one: HUNG I4 nothing runnable, no event "
                     r"pending: T2 waits for pfn ", lost.output), lost.output
    assert lost.status != 0 and after.status == 0, result.text
    assert not re.search(r"(?m)^ *\d+  T\d ", ps.output), "actors are left"


def test_a_cpu_that_is_missing_is_named(tmp_path):
    """On one CPU a stop with interrupts off cannot be played: skip, and no surprise.

    Two designs of seven, one that waits and one that never does: what a design does in an order that
    is given does not depend on the number of CPUs."""
    result = run_commands("race C-5-undo; race all lifetime=idle-at-one; race all lifetime=busy-extent; check",
                          tmp_path, SMP=1, TIMEOUT=600)
    one, *every, check = result.commands
    assert check.status == 0, check.output
    assert list(verdicts(one.output).values()) == ["skip needs SMP=2"] and one.status != 0
    for run in every:
        assert run.status == 0 and ", 0 unexpected" in run.output, run.output
        skipped = [v for v in verdicts(run.output).values() if v.startswith("skip")]
        assert skipped and set(skipped) == {"skip needs SMP=2"}


@pytest.mark.parametrize("race", RACES)
def test_the_unaware_lifetime_is_broken(tmp_path, race):
    """unaware: F's bytes come out of G, read through the file layer: BROKEN I1, status not 0."""
    result = run_commands(f"race {race} lifetime=unaware", tmp_path)
    output = result.commands[0].output
    verdict = verdicts(output)[(race, "unaware")]
    assert verdict.startswith("BROKEN I1 "), output
    assert re.search(r'[1-9]\d* of \d+ bytes of G are F\'s: "F\'s DMA', verdict), verdict
    assert result.commands[0].status != 0 and result.status == 1
    # The proof lies on the DIMM too: the new owner's file holds the old file's bytes.
    assert hf_image.contents(tmp_path / "pmem1.img", "/G").startswith(b"F's DMA F's DMA ")


@pytest.mark.parametrize("race", RACES)
def test_the_waiting_lifetime_is_safe(tmp_path, race):
    """idle-at-one: safe, with how long it waited and how often it saw it busy."""
    result = run_commands(f"race {race} lifetime=idle-at-one", tmp_path, SMP=1)
    assert result.status == 0, result.text
    for command in result.commands:
        assert verdicts(command.output) == {(race, "idle-at-one"): "safe"}
        waited = re.search(r"waited (\d+) ms; the device was seen busy (\d+) time", command.output)
        assert int(waited.group(1)) >= 100 and int(waited.group(2)) >= 1, command.output
    assert hf_image.contents(tmp_path / "pmem1.img", "/G") == b"G" * 4096


def test_races_on_any_machine(tmp_path):
    """lifetime=all runs each; eight CPUs and exact instruction counting change no verdict."""
    for variables in ({"SMP": 8}, {"ICOUNT": 1}):
        result = run_commands("race dma-truncate lifetime=all", tmp_path, **variables)
        cells = verdicts(result.commands[0].output)
        assert cells[("dma-truncate", "idle-at-one")] == "safe", result.text
        assert cells[("dma-truncate", "unaware")].startswith("BROKEN I1"), result.text
        assert result.commands[0].status != 0


@pytest.mark.parametrize("pmem,reason", [
    ("", "pmem1"), ("{0}/a.img,size=64M", "pmem1"),
    ("{0}/a.img,size=64M {0}/b.img,size=64M,unarmed", "pmem1 is read-only"),
    ("{0}/a.img,size=64M {0}/b.img,size=8M", "pmem1 is too small"),
])
def test_without_a_scratch_device_races_skip_by_name(tmp_path, pmem, reason):
    """A missing, read-only or small pmem1: each cell says skip and why; a skip is not safe."""
    result = run_commands("race dma-truncate; race dma-punch lifetime=all; race all", tmp_path,
                          PMEM=pmem.format(tmp_path))
    skips(result, reason)


def test_without_a_dma_device_races_skip_by_name(tmp_path, monkeypatch):
    """No edu device, no disk: each cell says skip and why, `dma` says which option adds one.

    Two designs of seven: whether a device is there is asked before the design is."""
    selftest = f"selftest {BY_CHANCE}"
    make = hf_command.qemu_command
    monkeypatch.setattr(hf_command, "disk_args", lambda config: [])

    def without_edu(*args):
        command = make(*args)
        return [w for n, w in enumerate(command) if hf_command.EDU not in command[n:n + 2]]

    monkeypatch.setattr(hf_command, "qemu_command", without_edu)
    result = run_commands("race dma-truncate; race dma-punch lifetime=all; "
                          "race all lifetime=unaware; race all lifetime=busy-extent; "
                          "mount pmem0 /t; write /t/f 0 x; map /t/f; dma m1 in; unmap m1; "
                          f"umount /t; {selftest}", tmp_path)
    skips(result, "no edu device", "no disk")
    assert result.command("dma m1 in").status == 19
    assert "-device edu" in result.command("dma m1 in").output
    failed = re.findall(r"(?m)^(?:# .*\n)*not ok .*", result.text)
    assert not failed and result.command(selftest).status == 0, failed


def skips(result, *reasons):
    """The three race commands at the head of a run: skip lines with such a reason, no success. What
    a machine lacks is no surprise for `race all`; a race that does not need it goes on."""
    one, two = result.commands[:2]
    every = [c for c in result.commands if c.line.startswith("race all")]
    assert [race for race, _ in verdicts(one.output)] == ["dma-truncate"]
    assert len(verdicts(two.output)) == len(LIFETIMES)
    for command in (one, two):
        for verdict in verdicts(command.output).values():
            assert verdict.startswith("skip ") and any(r in verdict for r in reasons), verdict
    assert one.status != 0 and two.status != 0, result.text
    skipped = {}
    for command in every:
        for (race, _), verdict in verdicts(command.output).items():
            if verdict.startswith("skip "):
                assert any(r in verdict for r in reasons), (race, verdict)
                skipped.setdefault(race, []).append(verdict)
        assert ", 0 unexpected" in command.output and command.status == 0, command.output
    assert set(skipped) >= {*RACES, "A-1", "C-1", "bio-truncate"}
    designs = len(every) if len(every) > 1 else len(LIFETIMES)
    assert {len(found) for found in skipped.values()} == {designs}


BY_HAND = """mount pmem0 /t lifetime=idle-at-one; write /t/f 0 hello; map /t/f; touch m1; {hold}
truncate /t/f 0 & settle threads; ps; jobs; stat /t/f; umount /t; check; {release}
wait; stat /t/f; touch m1; ps; unmap m1; check; umount /t"""


@pytest.mark.parametrize("hold,release,holder", [
    ("pin m1;", "unpin p1;", "pin p1"),
    ("dma m1 in WORLD times=3;", "", "edu0 writing"),
    ("pin m1; dma p1 out edu=1 times=3;", "", "edu1 reading"),
])
def test_a_truncate_asleep_is_explained(tmp_path, hold, release, holder):
    """By hand: ps names the page, its file, both counts, the waker and the holder; then it ends."""
    result = run_commands(BY_HAND.format(hold=hold, release=release).replace("\n", " "), tmp_path,
                          ICOUNT=1)
    text = result.text
    pfn = re.search(r"waits for pfn (0x[0-9a-f]+)", result.command("ps").output).group(1)
    row = re.search(r"(?m)^ +\d+  truncate /t/f 0 +sleeping .*$", result.command("ps").output)
    assert row, text
    assert f"waits for pfn {pfn} (/t/f page 0, 2 references, rest 1) to be idle" in row.group()
    assert "woken by last put of the page, count 2 to 1" in row.group()
    assert re.search(rf"held by: {holder} \(thread \d+, for \d+ ms\)", row.group()), row.group()
    assert holder in result.command("jobs").output
    stats = [c.output for c in result.commands if c.line == "stat /t/f"]
    assert "5 bytes" in stats[0] and pfn in stats[0], "nothing is freed while it is held"
    assert "0 bytes" in stats[1] and pfn not in stats[1]
    umounts = [c for c in result.commands if c.line == "umount /t"]
    assert umounts[0].status == 16 and "/t/f" in umounts[0].output
    assert umounts[1].status == 0
    assert re.search(r"(?m)^truncate: waited \d+ ms for /t/f; saw a busy page \d+ time", text)
    assert "done: status 0: truncate /t/f 0" in text
    touched = [c for c in result.commands if c.line == "touch m1"]
    assert touched[0].status == 0 and "hello" in touched[0].output
    assert touched[1].status == 14 and "beyond the end of the file" in touched[1].output
    assert "truncate" not in [c for c in result.commands if c.line == "ps"][1].output
    assert "violated" not in text
    assert hf_image.contents(tmp_path / "pmem0.img", "/f") == b""


def test_a_device_writes_a_file(tmp_path):
    """dma in lands in the file (debugfs sees it), dma out reads what the file holds."""
    result = run_commands("mount pmem0 /t; write /t/f 0 'for the device'; map /t/f; dma m1 out; "
                          "settle; dma; dma m1 in 'from the device, '; settle; dma; "
                          "touch m1; cat /t/f; truncate /t/f 4096; sync; unmap m1; umount /t",
                          tmp_path, ICOUNT=1)
    assert result.status == 0, result.text
    assert 'the device received "for the device' in result.text, result.text
    assert "from the devic" in result.command("cat /t/f").output
    got = hf_image.contents(tmp_path / "pmem0.img", "/f")
    assert len(got) == 4096 and got.startswith(b"from the devic"), got[:64]


def test_a_signal_ends_the_wait_and_nothing_else(tmp_path):
    """kill of a sleeping truncate: EINTR, size and block as before; the pin still works."""
    result = run_commands("mount pmem0 /t lifetime=idle-at-one; write /t/f 0 stay; map /t/f; "
                          "pin m1; truncate /t/f 0 & "
                          "settle; kill %1; wait; cat /t/f; stat /t/f; check; dma p1 out; "
                          "settle; dma; unmap m1; umount /t", tmp_path, ICOUNT=1)
    assert "done: status 4: truncate /t/f 0" in result.text, result.text
    assert result.command("cat /t/f").output == "stay\n"
    assert "4 bytes" in result.command("stat /t/f").output
    assert 'received "stay' in result.text and "violated" not in result.text
    assert all(c.status == 0 for c in result.commands), result.text
    assert result.status == 1, "a job that failed fails the run"


def test_what_is_left_waiting_fails_the_run(tmp_path):
    """A pin nobody gives back: the run names the waiting truncate and the mount, and fails."""
    result = run_commands("mount pmem0 /t lifetime=idle-at-one; write /t/f 0 x; map /t/f; "
                          "pin m1; truncate /t/f 0 &", tmp_path, ICOUNT=1, SMP=1)
    assert all(c.status == 0 for c in result.commands), result.text
    assert result.status == 1 and result.rc == 35, result.text
    assert re.search(r"(?m)^\[job 1\] .*truncate /t/f 0: waits for pfn", result.text)


def test_a_person_watches(tmp_path):
    """The same at the prompt: the job's end is told without losing the line being typed."""
    with Machine(tmp_path) as m:
        for line in ("mount pmem0 /t lifetime=idle-at-one", "write /t/f 0 hello", "map /t/f",
                     "pin m1", "truncate /t/f 0 &"):
            assert m.run(line).status == 0, m.text()
        m.ask("settle")
        assert "held by: pin p1" in m.ask("ps"), m.text()
        m.send("unpin p1")
        m.expect(r"\[job 1\] done: status 0: truncate /t/f 0")
        m.expect(r"holdfast> ")
        assert "0 bytes" in m.ask("stat /t/f")
        m.send("unmap m1; poweroff")
        assert m.wait() in (0, 33), m.text()


def test_the_matrix_is_as_its_table_says(tmp_path):
    """All cells of each way are played or named as impossible; none differs from the table."""
    result = run_commands("; ".join(f"race {race} lifetime=all" for race in MATRIX) + "; check",
                          tmp_path, SMP=1, TIMEOUT=300)
    counts = re.findall(r"(?m)^  36 cells: (\d+) safe, (\d+) not, (\d+) cannot happen$", result.text)
    assert len(counts) == len(MATRIX) * len(LIFETIMES)
    assert all(sum(map(int, count)) == 36 for count in counts), counts
    assert "DIFFERS" not in result.text and result.command("check").status == 0, result.text
    reasons = re.findall(r"(?m)^  cannot happen, (\d+) cell\(s\): \S", result.text)
    assert sum(map(int, reasons)) == sum(int(count[2]) for count in counts)


@pytest.mark.parametrize("museum,race", (("skip-wake", "matrix-punch lifetime=idle-at-one"),
                                         ("alloc-ignores-busy", "matrix-collapse"),
                                         ("bulk-page-refs", "matrix-unbind lifetime=idle-at-one")))
def test_the_matrix_sees_a_broken_rule(tmp_path, museum, race):
    """A rule switched off: cells differ from the table, by name, and the race says so."""
    result = run_commands(f"museum {museum} on; race {race}; museum all off; race {race}; check",
                          tmp_path)
    _, broken, _, again, check = result.commands
    assert broken.status == 5 and check.status == 0, result.text
    assert re.search(r"(?m)^  DIFFERS: (4K|2M), .*: (BROKEN I\d|HUNG I4)( \S.*)?, the table says safe$",
                     broken.output), broken.output
    assert re.search(r"(?m)^race matrix-\S+ lifetime=\S+: skip \d+ of 36 cells differ", broken.output)
    assert "DIFFERS: 4K, " in broken.output and "DIFFERS: 2M, " in broken.output
    assert ": skip " not in re.sub(r"(?m)^race .*", "", broken.output), "a broken cell spoils no other"
    assert "DIFFERS" not in again.output
