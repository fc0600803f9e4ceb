# SPDX-License-Identifier: MIT
"""`make bench` and `make bench-peer`.

    peer.py bench         Holdfast's rows: JSON lines on stdout, a table on stderr
    peer.py bench-peer    Linux's as well, each column twice; writes docs/performance.md

ROWS (a glob, such as 'gup.*') limits `bench`. Most rows come from the comparison's machine; some
need another one, see MACHINES.
"""

import dataclasses
import json
import os
import subprocess
import sys
import time
from typing import Dict, List, Tuple

import peer_linux
import peer_machine
import peer_report
from peer_machine import PEER, ROOT, ConfigError, PeerError, Run, boot, machine, printable, say

PAGE = os.path.join(ROOT, "docs", "performance.md")
KERNEL = os.path.join(ROOT, "build", "holdfast.elf")
SECONDS = 600  # no run takes a tenth of it
WALL_TRIES = 3
OK = 0x10 << 1 | 1  # QEMU's status when every command of Holdfast succeeded

MAIN = (1, 16)


@dataclasses.dataclass(frozen=True)
class Machine:
    """Rows of Holdfast that need another machine than the one with one CPU and with 1 and 16 GiB of
    persistent memory."""

    rows: List[str]
    sizes: Tuple[int, ...] = MAIN  # of the DIMMs, in GiB
    cpu: str = peer_machine.CPU
    smp: int = 1
    icount: bool = True


MACHINES = [Machine(["boot", "memory.prompt"], sizes=(1,)),
            Machine(["memremap.4t"], cpu=peer_machine.CPU + ",phys-bits=46"),
            Machine(["smp.*"], smp=8),
            Machine(["tlb.*"], icount=False)]
# Linux: (suites of hfwork, sizes of the DIMMs, which of them are fsdax, which have a file system).
LINUX = [(["calibrate", "dax", "gup", "fault", "layout", "wake", "split", "undax", "devdax"], MAIN,
          [1], [1]),
         (["boot", "memremap"], (1,), [0], []),
         (["memremap"], MAIN, [1], []),
         (["memremap"], (64,), [0], []),
         (["compound"], MAIN, [], [])]

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


# ---- Holdfast ----


def holdfast_run(cmd: str, sizes, cpu: str = peer_machine.CPU, icount: bool = True,
                 smp: int = 1) -> Run:
    config = machine(*sizes, icount=icount, cpu=cpu, smp=smp)
    config.cmd = cmd
    run = boot(config, ["-kernel", KERNEL], "Holdfast", SECONDS)
    if run.status != OK:
        raise PeerError(f"Holdfast: `{cmd}` failed (QEMU's status {run.status}); the end of what "
                        f"it printed:\n{run.text[-3000:]}")
    return run


def wall_row(seconds: List[float]) -> dict:
    return {"bench": "boot.wall", "value": round(min(seconds), 3), "unit": "s", "n": len(seconds)}


def holdfast_wall() -> dict:
    """Until the line that says that the boot is over; after it only the prompt would come."""
    runs = [holdfast_run("", (1,), icount=False) for _ in range(WALL_TRIES)]
    times = [run.wall("^boot: done") for run in runs]
    if None in times:
        raise PeerError("Holdfast printed no line `boot: done`")
    return wall_row(times)


def holdfast_column(commands: Commands) -> peer_report.Column:
    """All rows; each row that needs another machine takes the place of the one that did not."""
    Progress.step("Holdfast, the rows of the comparison's machine")
    run = holdfast_run("bench", MAIN)
    column = run.by_name()
    commands.append(("Holdfast", printable(run.command)))
    for other in MACHINES:
        names = " ".join(other.rows)
        Progress.step(f"Holdfast, {names}")
        run = holdfast_run("; ".join(f"bench {row}" for row in other.rows), other.sizes, other.cpu,
                           other.icount, other.smp)
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
        run = holdfast_run("; ".join(f"bench {row} functions" for row in rows), MAIN)
        for row in run.rows:
            if "function" in row:
                functions.setdefault(row["bench"], []).append((row["function"], row["value"]))
    return functions


# ---- Linux ----


def linux_run(release: str, suites, sizes, fsdax, ext4, counts=None, icount: bool = True) -> Run:
    config = machine(*sizes, icount=icount)
    if counts:
        config.qemu_args = ["-plugin", f"{peer_linux.plugin()},out={counts}"]
    run = boot(config, peer_linux.media(release, suites), "Linux", SECONDS, fsdax, ext4)
    errors = [row["error"] for row in run.rows if "error" in row]
    if errors or {"end": 1} not in run.rows:
        raise PeerError("Linux: " + ("; ".join(errors) or "it did not come to its end, but printed:"
                                     f"\n{run.text[-3000:]}"))
    return run


# Operations in the marked section, where it is not one: the pages of a call.
def operations_of(bench: str) -> int:
    for part, pages in (("b512", 512), ("scattered", 512), ("4096", 4096), ("flush", 512)):
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


def linux_names(column: peer_report.Column, rows: List[dict]) -> None:
    """Linux has its records as soon as a region is bound: one figure for two rows."""
    for row in rows:
        name = row.get("bench")
        if name == "records.4k.bind.16g" or name in ("records.2m.bind", "records.1g.bind"):
            kind = name.split(".")[1]
            for when in ("bind", "touched"):
                column[f"records.{kind}.{when}"] = dict(row, bench=f"records.{kind}.{when}")
        elif name:
            column[name] = row


def linux_wall(release: str) -> dict:
    runs = [linux_run(release, ["boot"], (1,), [0], [], icount=False) for _ in range(WALL_TRIES)]
    return wall_row([run.wall(r'^\{"bench":"boot"') for run in runs])


def linux_column(release: str, commands: Commands, count: bool) -> peer_report.Column:
    column: peer_report.Column = {}
    for suites, sizes, fsdax, ext4 in LINUX:
        Progress.step(f"Linux, {' '.join(suites)}; persistent memory: {sizes} GiB")
        counts = os.path.join(PEER, "counts.jsonl") if count and ext4 else None
        run = linux_run(release, suites, sizes, fsdax, ext4, counts)
        if counts:
            add_counts(run, counts)
        linux_names(column, run.rows)
        commands.append((f"Linux, {' '.join(suites)}", printable(run.command)))
    Progress.step("Linux, boot.wall")
    column["boot.wall"] = linux_wall(release)
    return column


# ---- the two targets ----


def save(name: str, data) -> None:
    with open(os.path.join(PEER, name), "w", encoding="utf-8") as out:
        json.dump(data, out, indent=1)


def about(found: Dict[str, str]) -> List[Tuple[str, str]]:
    release = found["release"]
    image = f"linux-image-{release}"
    qemu = subprocess.run(["qemu-system-x86_64", "--version"], stdout=subprocess.PIPE, text=True,
                          check=False).stdout.splitlines()[0]
    return [("Linux", f"{image} {found[image]} (Debian), on busybox-static "
                      f"{found['busybox-static']}"),
            ("QEMU", qemu),
            ("machine", "q35, one vCPU (`-cpu max,-erms`, so that clear and copy count one per "
                        "word), 2 GiB of RAM, NVDIMMs of 1 and 16 GiB (sparse files, share=on)"),
            ("clock", "`-icount shift=0,sleep=off -rtc base=2026-01-01,clock=vm -seed 1`"),
            ("Linux's command line", f"`{peer_linux.APPEND}…`")]


HOLDFAST_STEPS, LINUX_STEPS = len(MACHINES) + 2, len(LINUX) + 1  # of one column


def bench() -> None:
    glob = os.environ.get("ROWS", "")
    if glob:
        column = holdfast_run(f"bench {glob}", MAIN).by_name()
    else:
        Progress.total = HOLDFAST_STEPS
        column = holdfast_column([])
    for row in column.values():
        print(json.dumps(row, separators=(",", ":")), flush=True)
    print(peer_report.plain_table(column), file=sys.stderr)


def bench_peer() -> None:
    found = peer_linux.prepare()
    Progress.total = 2 * (HOLDFAST_STEPS + LINUX_STEPS)
    commands: Commands = []
    holdfast = [holdfast_column(commands), holdfast_column([])]
    first = linux_column(found["release"], commands, False)
    second = linux_column(found["release"], [], True)
    for name, row in first.items():
        row.update({key: second[name][key] for key in peer_report.COUNTS + ("insns",)
                    if key in second.get(name, {})})
    runs = {"linux": [first, second], "holdfast": holdfast}
    missed = peer_report.missed(holdfast[0])
    Progress.total += bool(missed)
    functions = profile(missed)
    save("runs.json", runs)
    os.makedirs(os.path.dirname(PAGE), exist_ok=True)
    with open(PAGE, "w", encoding="utf-8") as out:
        out.write(peer_report.page(runs, about(found), commands, functions))
    print(peer_report.summary(holdfast[0]), flush=True)
    say(f"wrote {os.path.relpath(PAGE, ROOT)}")


def main(argv: List[str]) -> int:
    actions = {"bench": bench, "bench-peer": bench_peer}
    if len(argv) != 2 or argv[1] not in actions:
        print("peer.py: bench or bench-peer", file=sys.stderr)
        return 2
    try:
        actions[argv[1]]()
    except (PeerError, ConfigError) as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
