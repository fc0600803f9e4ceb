# SPDX-License-Identifier: MIT
"""`make bench` and `make bench-peer`.

    peer.py bench         Holdfast's rows: JSON lines on stdout, a table on stderr
    peer.py bench-peer    a Linux and Holdfast, each twice; writes docs/performance.md

ROWS (a glob, such as 'gup.*') limits `bench`. Most rows come from the comparison's machine; some
need another one, see peer_columns.py.

LINUX: which Linux, 6.1 (Debian 12's) if nothing is said. The page has a column for each Linux that
was measured here, whenever that was. ONLY=linux and ONLY=holdfast measure one side and take the
other as it was; ONLY=page measures nothing.
"""

import json
import os
import sys
from typing import Dict, List

import peer_columns
import peer_debian
import peer_linux
import peer_page
import peer_report
import peer_store
from peer_columns import HOLDFAST_STEPS, LINUX_STEPS, Machine, Progress
from peer_machine import ROOT, ConfigError, PeerError, cause, say

PAGE = os.path.join(ROOT, "docs", "performance.md")
# What is measured: ONLY → (a Linux, Holdfast).
PARTS = {"": (True, True), "linux": (True, False), "holdfast": (False, True),
         "page": (False, False)}


def bench() -> None:
    glob = os.environ.get("ROWS", "")
    if glob:
        column = peer_columns.holdfast_run(f"bench {glob}", Machine([])).by_name()
    else:
        Progress.total = HOLDFAST_STEPS
        column = peer_columns.holdfast_column([])
    for row in column.values():
        print(json.dumps(row, separators=(",", ":")), flush=True)
    print(peer_report.plain_table(column), file=sys.stderr)


def measure_linux(series: str) -> None:
    unpacked, cc = peer_linux.prepare(series)
    peer_store.save(peer_columns.linux(unpacked, cc))


def measure_holdfast() -> None:
    measured = peer_columns.holdfast()
    missed = peer_report.missed(measured.rows)
    Progress.total += bool(missed)
    measured.functions = peer_columns.profile(missed)
    peer_store.save(measured)


def write_page() -> None:
    linux, holdfast = peer_store.load()
    if not holdfast:
        raise PeerError("Holdfast was not measured here yet: make bench-peer ONLY=holdfast")
    os.makedirs(os.path.dirname(PAGE), exist_ok=True)
    with open(PAGE, "w", encoding="utf-8") as out:
        out.write(peer_page.page(linux, holdfast))
    print(peer_report.summary(holdfast.rows), flush=True)
    for line in peer_report.kept_faults(linux):
        say(line)
    say(f"wrote {os.path.relpath(PAGE, ROOT)}")


def bench_peer() -> None:
    only = os.environ.get("ONLY", "")
    if only not in PARTS:
        raise PeerError(f"ONLY={only} is none of {', '.join(filter(None, PARTS))}")
    linux, holdfast = PARTS[only]
    Progress.total = 2 * (linux * LINUX_STEPS + holdfast * HOLDFAST_STEPS)
    if linux:
        measure_linux(os.environ.get("LINUX") or peer_debian.OLD)
    if holdfast:
        measure_holdfast()
    write_page()


def main(argv: List[str]) -> int:
    actions: Dict[str, object] = {"bench": bench, "bench-peer": bench_peer}
    if len(argv) != 2 or argv[1] not in actions:
        print("peer.py: bench or bench-peer", file=sys.stderr)
        return 2
    try:
        actions[argv[1]]()
    except (PeerError, ConfigError) as error:
        say(str(error))
        return 1
    except OSError as error:  # a full disk, another user's folder
        say(cause(error))
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
