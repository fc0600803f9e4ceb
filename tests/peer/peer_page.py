# SPDX-License-Identifier: MIT
"""docs/performance.md, from the columns that were measured. Pure: what was measured in, text out."""

from typing import List, Optional

import peer_linux
import peer_report
import peer_sections
from peer_kept import NEWEST
from peer_store import Measured
from peer_text import Column, figure, number, table, value_of

INTRODUCTION = """# Holdfast and Linux, the same work

Written by `make bench-peer`; change tests/peer, not this page. All kernels run in QEMU on the same
machine, with `-icount shift=0`: one tick of the time-stamp counter is one guest instruction, and so
is the unit `insns`. Figures are medians of timed sections, less what an empty section costs. Linux
is Debian's own kernel, unchanged; it is measured by a program and a module of ours
(tests/peer/linux). All sides count what an instruction count hides: Holdfast by single-stepping one
operation, Linux by a QEMU plugin (tests/peer/count.c).

One difference is in all rows: Linux's program runs in ring 3 and enters its kernel by a system call
or an exception with a change of rings; Holdfast has no ring 3, its system calls are calls.
"""

MACHINE = [("machine", "q35, one vCPU (`-cpu max,-erms`, so that clear and copy count one per "
                       "word), 2 GiB of RAM, NVDIMMs of 1 and 16 GiB (sparse files, share=on)"),
           ("clock", "`-icount shift=0,sleep=off -rtc base=2026-01-01,clock=vm -seed 1`"),
           ("Linux's command line", f"`{peer_linux.APPEND}…`; of the rows dma.… `{peer_linux.STRICT}` "
                                    "before it")]


def versions(columns: List[Measured]) -> List[str]:
    """When each column was measured, and with which versions of what."""
    kinds: List[str] = []
    for one in columns:
        kinds += [kind for kind, _ in one.about if kind not in kinds]
    rows = [[one.name, one.when, *(dict(one.about).get(kind, "–") for kind in kinds)]
            for one in columns]
    return table(["column", "measured", *kinds], rows, ())


def reach(linux: List[Measured]) -> List[str]:
    newest = f"Linux {NEWEST}"
    text = ("The reach of a row is the smaller of two: a figure that was set before, and a third "
            f"of what {newest} takes, rounded down to two digits. What is bare copy in a row is "
            "not divided. Names in a directory are compared with the Linux that takes least. "
            "The figures of Linux that the targets come from are kept in tests/peer/peer_kept.py.")
    if newest not in [one.name for one in linux]:
        text += f" {newest} was not measured for this page."
    return [text, ""]


def two_forms(holdfast: Column) -> List[str]:
    """Why `gup.put.2m` has two rows."""
    one, array = (value_of(holdfast.get(f"gup.put.2m.{form}")) for form in ("b512", "array.b512"))
    if one is None or array is None:
        return []
    return [f"`gup.put.2m` has two forms. Judged is the call that is told where the run begins and "
            f"how long it is (`put_user_page_range()`, {number(one)} per page; Linux has the like, "
            "`unpin_user_page_range_dirty_lock()`): one subtraction for the whole mapping. The "
            f"call that is handed an array of 512 pointers costs {number(array)} per page, "
            "because it has to look at each: to load a pointer, to work out which it should be, to "
            "compare, to branch. A load and a check for each are two instructions at least, so "
            "no form with an array can be within 1 without vector registers, which the kernel does "
            "not use. Its row is shown, with no target of its own.", ""]


def split(linux: Measured) -> List[str]:
    """Where Linux's truncate goes: what a kernel without a journal has to be compared with."""
    parts = [("busy_scan", "looking for busy pages"), ("entries", "removing index entries"),
             ("extents", "removing extents")]
    known = [(text, value_of(linux.rows.get(f"truncate.split.{part}"))) for part, text in parts]
    if any(value is None for _, value in known):
        return []
    total = sum(value for _, value in known)
    return [f"Of {linux.name}'s `truncate.4k.4096`, per page, by kretprobe: " +
            ", ".join(f"{text} {number(value)}" for text, value in known) +
            f"; together {number(total)}. What remains is the page tables, the journal and the "
            "system call.", ""]


def early_memory(linux: Measured) -> List[str]:
    late = value_of(linux.rows.get("memory.prompt.after_boot"))
    if late is None:
        return []
    return [f"Of {linux.name}'s `memory.prompt`, {number(late)} bytes were taken after the kernel "
            "had counted its memory (MemTotal − MemFree, what `free` shows); the rest it had set "
            "aside before: its image, the records of RAM, bounce buffers.", ""]


def clock(linux: List[Measured], holdfast: Column) -> List[str]:
    rows = [[f"{one.name}, {where}", figure(one.rows.get(name))] for one in linux
            for where, name in (("program", "calibrate"), ("kernel", "calibrate.kernel"))]
    rows.append(["Holdfast", figure(holdfast.get("calibrate"))])
    lines = ["A loop of 2 000 000 instructions, timed by the clock of each guest:", ""]
    lines += table(["where", "ticks"], rows, (1,))
    for one in linux:
        counted = one.rows.get("calibrate", {}).get("insns")
        if counted:
            lines += [f"The plugin, which knows no clock, counted {number(counted)} instructions "
                      f"for the loop of {one.name}'s program without the reads of the clock around "
                      "it.", ""]
    return lines


def hidden(linux: List[Measured], holdfast: Column) -> List[str]:
    names = " / ".join([one.name for one in linux] + ["Holdfast"])
    lines = ["## What instructions hide", "",
             f"Per operation, {names}. A TLB invalidation is an INVLPG or a load of CR3; "
             "a fence is an MFENCE, SFENCE or LFENCE. "
             "On one CPU Linux replaces the LOCK prefix; the plugin counts such an instruction as "
             "the atomic it is on two.", ""]
    lines += peer_report.hidden_costs(linux, holdfast)
    return lines + peer_report.more_than_linux(linux, holdfast)


def commands(columns: List[Measured]) -> List[str]:
    lines = ["## Command lines", ""]
    for one in columns:
        for name, command in one.commands:
            lines += [f"{name}:", "", "    " + command, ""]
    return lines


def page(linux: List[Measured], measured: Optional[Measured]) -> str:
    """`linux`: the oldest first."""
    measured = measured or Measured("Holdfast", "never")
    holdfast, columns = measured.rows, [*linux, measured]
    lines = [INTRODUCTION, *table(["", ""], MACHINE, ()), *versions(columns), "## Figures", "",
             peer_report.summary(holdfast), ""]
    lines += peer_report.figures(linux, holdfast) + reach(linux) + two_forms(holdfast)
    lines += hidden(linux, holdfast)
    lines += peer_sections.lifetimes(holdfast) + peer_sections.growth(holdfast)
    lines += peer_sections.cpus(holdfast) + peer_sections.tlb(holdfast)
    lines += peer_report.profiles(holdfast, measured.functions)
    lines += ["## Rows that Holdfast skipped", ""] + peer_report.skipped(holdfast)
    lines += ["## What each row measures", ""] + peer_report.scopes(linux, holdfast)
    for one in linux:
        lines += split(one) + early_memory(one)
    lines += ["## A tick is an instruction", ""] + clock(linux, holdfast)
    lines += ["## Run twice", "", "Differences under 0.5 % (5 % when the figure comes from a "
              "single call) are none. Linux's second run carries the counting plugin.", ""]
    for one in columns:
        if len(one.runs) == 2:
            lines += peer_report.repeats(one.name, *one.runs)
    return "\n".join(lines + commands(columns)).rstrip() + "\n"
