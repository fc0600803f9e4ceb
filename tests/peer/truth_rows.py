# SPDX-License-Identifier: MIT
"""What is asked of Linux 6.1, and what it is expected to answer.

The expected answers were measured on Debian's 6.1.192 with another program and another module
before this one was written (umount.touched and unbind.gup-write: by this one first); where a row stands for a cell of `race all`, it names the race, and its
verdict is what tests/kernel/race/race_eras.c must say for era 6.1.
"""

import dataclasses
from typing import Dict, List

W = "sleeps, interruptibly; ends at the put; the block is not free meanwhile"
LATE = "returns at once; the block's next owner reads the device's bytes"
OWN = "returns at once; the block is still the file's"


@dataclasses.dataclass(frozen=True)
class Row:
    """One question. `races`: {race: verdict under idle-at-one, era 6.1}."""

    name: str
    question: str
    answer: str
    races: Dict[str, str] = dataclasses.field(default_factory=dict)


ROWS: List[Row] = [
    Row("truncate.mapped", "truncate of a file that is mapped, its page pinned", W,
        {"A-1-truncate": "safe", "dma-truncate": "safe"}),
    Row("punch.mapped", "a hole is punched there", W, {"A-1": "safe", "dma-punch": "safe"}),
    Row("collapse.mapped", "the range is collapsed", W),
    Row("zero.mapped", "the range is zeroed", W, {"matrix-zero": "safe"}),
    Row("insert.mapped", "a range is inserted before it", W, {"matrix-insert": "safe"}),
    Row("truncate.unmapped", "truncate, and nobody maps the file any more", LATE,
        {"matrix-truncate": "I1"}),
    Row("punch.unmapped", "the same by a hole", LATE, {"C-1": "I1", "matrix-punch": "I1"}),
    Row("collapse.unmapped", "the same by a collapse", LATE, {"matrix-collapse": "I1"}),
    Row("zero.unmapped", "the range is zeroed, and nobody maps the file", OWN),
    Row("insert.unmapped", "a range is inserted, and nobody maps the file", OWN),
    Row("evict", "the file was unlinked, and its last reference goes", LATE,
        {"C-3": "I1", "matrix-evict": "I1"}),
    Row("umount", "unmount of a file system with a held page, then mount and truncate",
        "returns at once; after the next mount truncate returns at once; "
        "the block's next owner reads the device's bytes",
        {"C-3-umount": "I1", "E-3": "I1", "matrix-umount": "I1"}),
    Row("umount.touched", "the same, and the file is mapped and touched before the truncate",
        "returns at once; after the next mount truncate sleeps; the block is not free"),
    Row("unbind.open", "unbind: a page is pinned, its file open and not mapped",
        "returns at once; the record goes",
        {"C-8": "I2", "E-2": "I2", "matrix-unbind": "I2"}),
    Row("unbind.closed", "unbind: a page is pinned, its file closed",
        "returns at once; the record goes", {"E-3-unbind": "I2"}),
    Row("unbind.sleeper", "unbind while a truncate sleeps for the page",
        "truncate sleeps; unbind returns at once; the record goes; truncate sleeps on",
        {"C-7": "I2"}),
    Row("unbind.mapped", "unbind: a page is mapped, and nobody holds it",
        "returns at once; the record goes; the mapping stays", {"C-4": "I2"}),
    Row("unbind.gup-write", "a pin for writing through the mapping that stayed", "EFAULT"),
    Row("unbind.gup-read", "a pin for reading through it", "does not come to its end"),
    Row("signal.term", "SIGTERM to the sleeping truncate",
        "sleeps, interruptibly; the signal ends it; the file is unchanged"),
    Row("signal.kill", "SIGKILL to it",
        "sleeps, interruptibly; the signal ends it; the file is unchanged"),
    Row("signal.handler", "a signal with a handler", "EINTR"),
    Row("signal.restart", "a signal with a handler and SA_RESTART", "sleeps on"),
    Row("range.page", "page 0 is punched, and page 1 is held",
        "sleeps, interruptibly; ends at the put", {"C-6-range": "HUNG"}),
    Row("range.2m", "page 0 of 2 MiB is punched, and page 5 is held",
        "sleeps, interruptibly; ends at the put"),
    Row("range.unmapped", "page 0 is punched, page 1 is held, nobody maps the file",
        "returns at once"),
    Row("starved", "a holder that puts, touches and pins again, all the time",
        "still asleep after 1000 puts; ends at the put", {"C-6": "HUNG"}),
    Row("counts.4k", "counts of a page: nothing maps it, and more and more does",
        "unmapped 1, mapped once 1, twice 1, and pinned 1025"),
    Row("counts.2m", "counts in a mapping of 2 MiB",
        "order 0; page 5 pinned: 1025, the first page: 1"),
    Row("longterm", "pins without an end",
        "shared: EOPNOTSUPP; private, untouched: EOPNOTSUPP; private copy: fast path succeeds, "
        "slow path EOPNOTSUPP"),
    Row("write", "write(2) to the held page", "returns at once"),
    Row("refault", "a touch of the page while truncate sleeps, then the put",
        "truncate sleeps; a load sees the device's bytes; read(2) sleeps; "
        "truncate ends at the put, though F is mapped", {"E-7": "safe"}),
    Row("fork", "fork with a private copy that is held",
        "pinned: the parent keeps the page; a plain reference: the parent loses the page at its "
        "next store"),
    Row("advice", "mlock, mremap and MADV_DONTNEED of the mapping while it is held",
        "mlock succeeds, mremap succeeds, MADV_DONTNEED succeeds; count 1025"),
    Row("drop-caches", "drop_caches while a page of a closed file is held, then truncate",
        "truncate sleeps: the hold is not forgotten"),
    Row("disk", "a direct read from a disk into the page, and a truncate meanwhile",
        "truncate sleeps on 5 s after the read is complete; count 1",
        {"C-5": "HUNG", "bio-truncate": "HUNG"}),
]

# What is not asked, and why.
LEFT_OUT = [
    ("a put after the device has gone", "it would write to memory that is no page record any more, "
     "and may take the machine down"),
    ("a signal to a truncate whose device has gone", "it would look at the count in such a record"),
    ("an entry that a fault has locked (C-2)", "no driver can stop a fault there"),
    ("write-back by a punch", "`make bench-peer` counts it: 64 lines a page"),
    ("E-1, E-4 to E-6, exchange, shared blocks, XFS", "never measured"),
]
