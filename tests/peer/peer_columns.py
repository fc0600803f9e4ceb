# SPDX-License-Identifier: MIT
"""Measuring one column of the comparison: which machines its rows need, and their runs."""

import dataclasses
import datetime
import fnmatch
import json
import os
import subprocess
import time
from typing import Dict, List, Tuple

import peer_linux
import peer_machine
from peer_debian import Unpacked
from peer_machine import (PEER, ROOT, PeerError, Run, boot, hf_qemu, machine, printable,
                          say)
from peer_store import HOLDFAST, Measured
from peer_text import COUNTS, Column

KERNEL = os.path.join(ROOT, "build", "holdfast.elf")
SECONDS = 600  # no run takes a third of it
WALL_TRIES = 3
OK = 0x10 << 1 | 1  # QEMU's status when every command of Holdfast succeeded

MAIN = (1, 16)
LARGE = peer_machine.CPU + ",phys-bits=46"  # for machines beyond 1 TiB


@dataclasses.dataclass(frozen=True)
class Machine:
    """Rows of Holdfast that need another machine than the one with one CPU and with 1 and 16 GiB of
    persistent memory."""

    rows: List[str]
    sizes: Tuple[int, ...] = MAIN  # of the DIMMs, in GiB
    cpu: str = peer_machine.CPU
    smp: int = 1
    icount: bool = True
    ext4: Tuple[int, ...] = ()  # the DIMMs that are a file system from their first byte on,
    features: str = ""  # made with these features (mkfs.ext4 -O)
    iommu: bool = False


@dataclasses.dataclass(frozen=True)
class Suites:
    """Suites of hfwork that share a machine."""

    names: List[str]
    sizes: Tuple[int, ...] = MAIN
    fsdax: Tuple[int, ...] = ()  # the DIMMs that are an fsdax namespace
    ext4: Tuple[int, ...] = ()  # those with a file system: in the namespace, if it is one
    cpu: str = peer_machine.CPU
    iommu: bool = False  # and Linux uses it, as strictly as Holdfast
    counted: bool = False  # the second run carries the plugin, as with all that have a file system


MACHINES = [Machine(["boot", "memory.prompt"], sizes=(1,)),
            Machine(["memremap.4t"], cpu=LARGE),
            Machine(["mount.1t"], sizes=(1024,), cpu=LARGE, ext4=(0,),
                    features="^has_journal,^metadata_csum"),  # which Holdfast does not write
            Machine(["dma.*"], sizes=(1,), iommu=True),
            Machine(["lease.*", "region.*"], iommu=True),
            Machine(["smp.*"], smp=8),
            Machine(["tlb.*"], icount=False)]
LINUX = [Suites(["calibrate", "dax", "gup", "fault", "layout", "wake", "split", "undax", "devdax"],
                fsdax=(1,), ext4=(1,)),
         Suites(["dax", "dir", "fallocate", "io", "map"], fsdax=(1,), ext4=(1,)),
         Suites(["mount"], sizes=(1024,), cpu=LARGE, ext4=(0,)),
         Suites(["dma"], sizes=(1,), iommu=True, counted=True),
         Suites(["dax", "region"], fsdax=(1,), ext4=(1,), iommu=True),
         Suites(["boot", "memremap"], sizes=(1,), fsdax=(0,)),
         Suites(["memremap"], fsdax=(1,)),
         Suites(["memremap"], sizes=(64,), fsdax=(0,)),
         Suites(["compound"])]
HOLDFAST_STEPS, LINUX_STEPS = len(MACHINES) + 2, len(LINUX) + 1  # of one run of a column

Commands = List[Tuple[str, str]]


class Progress:
    """Tells who waits what runs now, how much is left, and how long it has taken."""

    total = done = 0
    start = time.monotonic()

    @classmethod
    def step(cls, text: str) -> None:
        cls.done += 1
        of = f"/{cls.total}" if cls.total else ""
        say(f"[{cls.done}{of}, {time.monotonic() - cls.start:.0f} s] {text}")


def version_line(command: List[str]) -> str:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                          cwd=ROOT, check=False)
    return (done.stdout.splitlines() or ["unknown"])[0]


def qemu_version() -> str:
    return version_line(hf_qemu.start_of_command(hf_qemu.find(machine(1).qemu)) + ["--version"])


def today() -> str:
    return datetime.date.today().isoformat()


def wall_row(seconds: List[float]) -> dict:
    return {"bench": "boot.wall", "value": round(min(seconds), 3), "unit": "s", "n": len(seconds)}


# ---- Holdfast ----


def holdfast_run(cmd: str, m: Machine = Machine([])) -> Run:
    config = machine(*m.sizes, icount=m.icount, cpu=m.cpu, smp=m.smp, iommu=m.iommu)
    config.cmd = cmd
    run = boot(config, ["-kernel", KERNEL], "Holdfast", SECONDS, (), m.ext4, m.features)
    if run.status != OK:
        raise PeerError(f"Holdfast: `{cmd}` failed (QEMU's status {run.status}); the end of what "
                        f"it printed:\n{run.text[-3000:]}")
    return run


def holdfast_wall() -> dict:
    """Until the line that says that the boot is over; after it only the prompt would come."""
    plain = Machine([], sizes=(1,), icount=False)
    times = [holdfast_run("", plain).wall("^boot: done") for _ in range(WALL_TRIES)]
    if None in times:
        raise PeerError("Holdfast printed no line `boot: done`")
    return wall_row(times)


def has_rows(column: Column, m: Machine) -> bool:
    """The kernel knows them: on a machine that does not do they were skipped."""
    return any(fnmatch.filter(column, row) for row in m.rows)


def holdfast_column(commands: Commands) -> Column:
    """All rows; each row that needs another machine takes the place of the one that did not."""
    Progress.step("Holdfast, the rows of the comparison's machine")
    run = holdfast_run("bench")
    column = run.by_name()
    commands.append(("Holdfast", printable(run.command)))
    for other in [m for m in MACHINES if has_rows(column, m)]:
        names = " ".join(other.rows)
        Progress.step(f"Holdfast, {names}")
        run = holdfast_run("; ".join(f"bench {row}" for row in other.rows), other)
        column.update(run.by_name())
        commands.append((f"Holdfast, {names}", printable(run.command)))
    Progress.step("Holdfast, boot.wall")
    column["boot.wall"] = holdfast_wall()
    return column


def profile(rows: List[str]) -> Dict[str, List[Tuple[str, float]]]:
    """Where the instructions of these rows go: {row: [(function, instructions per operation)]}."""
    functions: Dict[str, List[Tuple[str, float]]] = {}
    if rows:
        Progress.step(f"Holdfast, where the instructions of {len(rows)} rows go")
        run = holdfast_run("; ".join(f"bench {row} functions" for row in rows))
        for row in run.rows:
            if "function" in row:
                functions.setdefault(row["bench"], []).append((row["function"], row["value"]))
    return functions


def holdfast() -> Measured:
    commit = version_line(["git", "describe", "--always", "--dirty=, with changes"])
    commands: Commands = []
    return Measured(HOLDFAST, today(),
                    [("version", f"commit {commit}"), ("QEMU", qemu_version()),
                     ("built by", version_line([os.environ.get("CC", "gcc"), "--version"]))],
                    commands, [holdfast_column(commands), holdfast_column([])])


# ---- Linux ----


def linux_run(linux: Unpacked, suites: Suites, counts: str = "", icount: bool = True) -> Run:
    config = machine(*suites.sizes, icount=icount, cpu=suites.cpu, iommu=suites.iommu)
    if counts:
        config.qemu_args = ["-plugin", f"{peer_linux.plugin(linux)},out={counts}"]
    media = peer_linux.media(linux, suites.names, words=peer_linux.STRICT if suites.iommu else "")
    run = boot(config, media, "Linux", SECONDS, suites.fsdax, suites.ext4)
    errors = [row["error"] for row in run.rows if "error" in row]
    if errors or {"end": 1} not in run.rows:
        raise PeerError("Linux: " + ("; ".join(errors) or "it did not come to its end, but printed:"
                                     f"\n{run.text[-3000:]}"))
    return run


# Operations in the marked section, where it is not one: the pages of a call, the files of a row.
def operations_of(bench: str) -> int:
    for part, pages in (("b512", 512), ("b64", 64), ("scattered", 512), ("4096", 4096), ("flush", 512),
                        ("map.1g", 1 << 18), ("open.10000", 10000)):
        if part in bench:
            return pages
    return 1


def add_counts(run: Run, path: str) -> None:
    """The plugin's n-th line belongs to the n-th marked row."""
    marked = [row for row in run.rows if row.get("marked")]
    with open(path, encoding="ascii") as lines:
        counts = [json.loads(line) for line in lines]
    if len(counts) != len(marked):
        raise PeerError(f"the plugin saw {len(counts)} pairs of marks, and Linux printed "
                        f"{len(marked)} marked rows")
    for row, counted in zip(marked, counts):
        per = operations_of(row["bench"])
        row.update({name: round(value / per, 2) for name, value in counted.items()})
        row["ipi"] = 0  # there is no other CPU


def linux_names(column: Column, rows: List[dict]) -> None:
    """Linux has its records as soon as a region is bound: one figure for two rows."""
    for row in rows:
        name = row.get("bench")
        if name == "records.4k.bind.16g" or name in ("records.2m.bind", "records.1g.bind"):
            kind = name.split(".")[1]
            for when in ("bind", "touched"):
                column[f"records.{kind}.{when}"] = dict(row, bench=f"records.{kind}.{when}")
        elif name:
            column[name] = row


def linux_wall(linux: Unpacked) -> dict:
    """Without -icount Linux holds its timers against the host's clock, and on a busy host it may give up
    ("IO-APIC + timer doesn't work!"): such a boot is none of those that count, one must be."""
    plain = Suites(["boot"], sizes=(1,), fsdax=(0,))
    times, failed = [], None
    for _ in range(WALL_TRIES):
        try:
            times.append(linux_run(linux, plain, icount=False).wall(r'^\{"bench":"boot"'))
        except PeerError as error:
            failed = error
    if not times:
        raise failed
    return wall_row(times)


def linux_column(linux: Unpacked, commands: Commands, count: bool) -> Column:
    column: Column = {}
    for suites in LINUX:
        names = " ".join(suites.names)
        Progress.step(f"Linux {linux.series}, {names}; persistent memory: {suites.sizes} GiB")
        counted = count and (suites.ext4 or suites.counted)
        counts = os.path.join(PEER, "counts.jsonl") if counted else ""
        run = linux_run(linux, suites, counts)
        if counts:
            add_counts(run, counts)
        linux_names(column, run.rows)
        commands.append((f"Linux {linux.series}, {names}", printable(run.command)))
    Progress.step(f"Linux {linux.series}, boot.wall")
    column["boot.wall"] = linux_wall(linux)
    return column


def linux(unpacked: Unpacked, cc: str) -> Measured:
    """The second run carries the plugin: what it counted is added to the first."""
    commands: Commands = []
    first = linux_column(unpacked, commands, False)
    second = linux_column(unpacked, [], True)
    for name, row in first.items():
        row.update({key: second[name][key] for key in COUNTS + ("insns",)
                    if key in second.get(name, {})})
    versions = unpacked.versions
    return Measured(f"Linux {unpacked.series}", today(),
                    [("version", f"linux-image-{unpacked.release} {unpacked.version} "
                                 f"({unpacked.suite}), on busybox-static "
                                 f"{versions['busybox-static']}"),
                     ("QEMU", qemu_version()), ("built by", version_line([cc, "--version"]))],
                    commands, [first, second])
