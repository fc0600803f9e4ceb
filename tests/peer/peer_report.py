# SPDX-License-Identifier: MIT
"""From measured rows to a table: on stderr for `make bench`, docs/performance.md for bench-peer.

Pure: dictionaries in, text out. A row is what a kernel printed as JSON: {"bench", "value", "unit",
"n"} and perhaps what COUNTS lists; or {"bench", "skip"}. A column is {name: row}.
"""

from typing import Dict, List, Optional, Tuple

import peer_sections
from peer_rows import BY_NAME, FAMILIES, MORE, ROWS, Row
from peer_text import Column, figure, number, table, value_of

COUNTS = ("atomics", "clwb", "tlb", "ipi", "fences", "cr3")
NAMES = ("atomics", "lines written back", "TLB invalidations", "IPIs", "fences", "loads of CR3")
SAME = 0.005  # differences below are none
SAME_SINGLE = 0.05  # of a figure that comes from one call
ROUNDING = 0.01  # counts have two decimals


# ---- one row ----


def ratio(linux: Optional[dict], holdfast: Optional[dict]) -> str:
    theirs, ours = value_of(linux), value_of(holdfast)
    if theirs is None or ours is None:
        return "–"
    if not ours:
        return "∞" if theirs else "1"
    return f"{theirs / ours:.1f} ×" if theirs / ours < 1000 else number(theirs / ours) + " ×"


def verdict(row: Row, holdfast: Column) -> str:
    """met, or by how much it was missed, or why nobody can say."""
    got = holdfast.get(row.bench)
    value, reach = value_of(got), row.reach
    if value is None:
        return "skipped" if got and "skip" in got else "not run"
    if row.twice and value_of(holdfast.get(row.twice)):
        reach = 2 * value_of(holdfast.get(row.twice))
    if reach is None:
        return "not judged"
    if value <= reach:
        return "met"
    if not reach:
        return f"missed by {number(value)}"
    return f"missed by {(value / reach - 1) * 100:.0f} %"


def reach_text(row: Row) -> str:
    return row.reach_text or f"≤ {number(row.reach)}"


# ---- text ----


def plain_table(holdfast: Column) -> str:
    """For a terminal: every row that ran or was skipped, with its target."""
    lines = [f"{'row':<26}{'Holdfast':>14} {'unit':<13}{'reach':>14}  target"]
    names = [row.bench for row in ROWS if row.bench in holdfast]
    for name in names + [name for name in holdfast if name not in BY_NAME]:
        row, got = BY_NAME.get(name), holdfast[name]
        if "skip" in got:
            lines.append(f"{name:<26}{'–':>14} skipped: {got['skip']}")
            continue
        reach = number(row.reach) if row and row.reach is not None else ""
        lines.append(f"{name:<26}{number(got['value']):>14} {got.get('unit', ''):<13}{reach:>14}  "
                     f"{verdict(row, holdfast) if row else ''}".rstrip())
    return "\n".join(lines) + "\n"


def figures(linux: Column, holdfast: Column) -> List[str]:
    rows = []
    for row in ROWS:
        theirs, ours = linux.get(row.bench), holdfast.get(row.bench)
        rows.append([f"`{row.bench}`", row.unit, figure(theirs, row.linux_text), figure(ours),
                     ratio(theirs, ours), reach_text(row), verdict(row, holdfast)])
    return table(["row", "unit", "Linux", "Holdfast", "Linux ÷ Holdfast", "reach", "target"], rows,
                 (2, 3, 4, 5))


def operations(row: Optional[dict]) -> str:
    return number(row["n"]) if row and "n" in row else "–"


def scopes(linux: Column, holdfast: Column) -> List[str]:
    rows = [[f"`{row.bench}`", row.what, row.scope or "the same",
             operations(linux.get(row.bench)), operations(holdfast.get(row.bench))] for row in ROWS]
    rows += [[f"`{name}`", what, scope, "–", "–"] for name, what, scope in FAMILIES]
    return table(["row", "what is measured", "scope", "operations, Linux", "operations, Holdfast"],
                 rows, (3, 4))


def uses_more(theirs: dict, ours: dict) -> List[int]:
    """What Holdfast uses more of than Linux: places in COUNTS."""
    return [n for n, name in enumerate(COUNTS) if name in theirs and name in ours and
            ours[name] > theirs[name] * (1 + SAME) + ROUNDING]


def hidden_costs(linux: Column, holdfast: Column) -> List[str]:
    rows = []
    for row in ROWS:
        theirs, ours = linux.get(row.bench, {}), holdfast.get(row.bench, {})
        if not any(name in column for name in COUNTS for column in (theirs, ours)):
            continue
        cells = [f"{number(theirs.get(name))} / {number(ours.get(name))}" for name in COUNTS]
        more = ", ".join(NAMES[n] for n in uses_more(theirs, ours))
        rows.append([f"`{row.bench}`", *cells, f"more {more}" if more else ""])
    return table(["row", *NAMES, "Holdfast"], rows, range(1, 1 + len(COUNTS)))


def more_than_linux(linux: Column, holdfast: Column) -> List[str]:
    """A sentence for each row and kind that Holdfast uses more of."""
    lines = []
    for row in ROWS:
        theirs, ours = linux.get(row.bench, {}), holdfast.get(row.bench, {})
        for n in uses_more(theirs, ours):
            why = MORE.get((row.bench, COUNTS[n]), "nobody has said why yet")
            lines.append(f"* `{row.bench}`, {NAMES[n]}: {number(ours[COUNTS[n]])}, Linux "
                         f"{number(theirs[COUNTS[n]])}: {why}.")
    if not lines:
        return ["In no row Holdfast uses more of any of these than Linux.", ""]
    return ["Holdfast uses more than Linux here, and nowhere else:", "", *lines, ""]


def skipped(holdfast: Column) -> List[str]:
    lines = [f"* `{row.bench}`: {holdfast[row.bench]['skip']}" for row in ROWS
             if "skip" in holdfast.get(row.bench, {})]
    lines += [f"* `{row.bench}`: Holdfast printed no such row" for row in ROWS
              if row.bench not in holdfast]
    return lines + [""] if lines else ["None.", ""]


# ---- repeating ----


def differs(first: dict, second: dict) -> Optional[float]:
    """The relative difference of two values; None: one of them has none."""
    a, b = value_of(first), value_of(second)
    if a is None or b is None:
        return None if (a is None) == (b is None) else float("inf")
    return 0.0 if a == b else abs(b - a) / max(abs(a), abs(b))


def weigh(row: dict, change: float) -> str:
    if row.get("unit", "").split("/")[0] in ("s", "ns"):
        return "wall time, which never repeats"
    return "none" if change <= (SAME_SINGLE if row.get("n") == 1 else SAME) else "a difference"


def repeats(name: str, first: Column, second: Column) -> List[str]:
    """How many rows gave the same digits twice, and the rows that did not."""
    rows, same, total = [], 0, 0
    for bench in sorted(set(first) | set(second)):
        change = differs(first.get(bench, {}), second.get(bench, {}))
        if change is None:
            continue
        total += 1
        if not change:
            same += 1
            continue
        rows.append([f"`{bench}`", figure(first.get(bench)), figure(second.get(bench)),
                     f"{change * 100:.3f} %", weigh(first.get(bench, {}), change)])
    lines = [f"{name}: {same} of {total} rows gave the same digits in both runs.", ""]
    if rows:
        lines += table(["row", "first run", "second run", "difference", "counts as"], rows,
                       (1, 2, 3))
    return lines


# ---- why a target is missed ----


def missed(holdfast: Column) -> List[str]:
    return [row.bench for row in ROWS if verdict(row, holdfast).startswith("missed")]


def profiles(holdfast: Column, functions: Dict[str, List[Tuple[str, float]]]) -> List[str]:
    """A section of its own; nothing when no target is missed."""
    names = missed(holdfast)
    if not names:
        return []
    lines = ["## Missed targets", "", "Instructions per operation and function, from one "
             "single-stepped operation (`bench ROW functions`): the eight largest.", ""]
    for name in names:
        most = functions.get(name, [])[:8]
        where = ", ".join(f"`{function}` {number(insns)}" for function, insns in most)
        lines.append(f"* `{name}`, {verdict(BY_NAME[name], holdfast)}: "
                     f"{where or 'the row has no profile'}")
    return lines + [""]


def summary(holdfast: Column) -> str:
    verdicts = [verdict(row, holdfast) for row in ROWS]
    return (f"{len(ROWS)} rows: {verdicts.count('met')} targets met, "
            f"{sum(v.startswith('missed') for v in verdicts)} missed, "
            f"{verdicts.count('skipped')} rows skipped by Holdfast, "
            f"{verdicts.count('not judged') + verdicts.count('not run')} not judged or not run.")


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


def split(linux: Column) -> List[str]:
    """Where Linux's truncate goes: what a kernel without a journal has to be compared with."""
    parts = [("busy_scan", "looking for busy pages"), ("entries", "removing index entries"),
             ("extents", "removing extents")]
    known = [(text, value_of(linux.get(f"truncate.split.{part}"))) for part, text in parts]
    if any(value is None for _, value in known):
        return []
    total = sum(value for _, value in known)
    return ["Of Linux's `truncate.4k.4096`, per page, by kretprobe: " +
            ", ".join(f"{text} {number(value)}" for text, value in known) +
            f"; together {number(total)}. What remains is the page tables, the journal and the "
            "system call.", ""]


def early_memory(linux: Column) -> List[str]:
    late = value_of(linux.get("memory.prompt.after_boot"))
    if late is None:
        return []
    return [f"Of Linux's `memory.prompt`, {number(late)} bytes were taken after the kernel had "
            "counted its memory (MemTotal − MemFree, what `free` shows); the rest it had set aside "
            "before: its image, the records of RAM, bounce buffers.", ""]


# ---- the page ----

INTRODUCTION = """# Holdfast and Linux, the same work

Written by `make bench-peer`; change tests/peer, not this page. Both kernels run in the same QEMU,
on the same machine, with `-icount shift=0`: one tick of the time-stamp counter is one guest
instruction, and so is the unit `insns`. Figures are medians of timed sections, less what an empty
section costs. Linux is Debian's own kernel, unchanged; it is measured by a program and a module of
ours (tests/peer/linux). Both sides count what an instruction count hides: Holdfast by
single-stepping one operation, Linux by a QEMU plugin (tests/peer/count.c).

One difference is in all rows: Linux's program runs in ring 3 and enters its kernel by a system call
or an exception with a change of rings; Holdfast has no ring 3, its system calls are calls.
"""


def clock(linux: Column, holdfast: Column) -> List[str]:
    rows = [["Linux, program", linux.get("calibrate")],
            ["Linux, kernel", linux.get("calibrate.kernel")],
            ["Holdfast", holdfast.get("calibrate")]]
    lines = ["A loop of 2 000 000 instructions, timed by the clock of each guest:", ""]
    lines += table(["where", "ticks"], [[name, figure(row)] for name, row in rows], (1,))
    counted = linux.get("calibrate", {}).get("insns")
    if counted:
        lines += [f"The plugin, which knows no clock, counted {number(counted)} instructions for "
                  "the loop of Linux's program without the reads of the clock around it.", ""]
    return lines


def page(runs: Dict[str, List[Column]], about: List[Tuple[str, str]],
         commands: List[Tuple[str, str]],
         functions: Dict[str, List[Tuple[str, float]]]) -> str:
    """docs/performance.md. `runs`: "linux" and "holdfast", each the columns of two runs."""
    linux, holdfast = runs["linux"][0], runs["holdfast"][0]
    lines = [INTRODUCTION, *table(["", ""], about, ()), "## Figures", "", summary(holdfast), ""]
    lines += figures(linux, holdfast) + two_forms(holdfast)
    lines += ["## What instructions hide", "",
              "Per operation, Linux / Holdfast. A TLB invalidation is an INVLPG or a load of CR3; "
              "a fence is an MFENCE, SFENCE or LFENCE. "
              "On one CPU Linux replaces the LOCK prefix; the plugin counts such an instruction as "
              "the atomic it is on two.", ""]
    lines += hidden_costs(linux, holdfast) + more_than_linux(linux, holdfast)
    lines += peer_sections.lifetimes(holdfast) + peer_sections.growth(holdfast)
    lines += peer_sections.cpus(holdfast) + peer_sections.tlb(holdfast)
    lines += profiles(holdfast, functions)
    lines += ["## Rows that Holdfast skipped", ""] + skipped(holdfast)
    lines += ["## What each row measures", ""] + scopes(linux, holdfast)
    lines += split(linux) + early_memory(linux)
    lines += ["## A tick is an instruction", ""] + clock(linux, holdfast)
    lines += ["## Run twice", "", "Differences under 0.5 % (5 % when the figure comes from a "
              "single call) are none. Linux's second run carries the counting plugin.", ""]
    lines += repeats("Linux", *runs["linux"]) + repeats("Holdfast", *runs["holdfast"])
    lines += ["## Command lines", ""]
    for name, command in commands:
        lines += [f"{name}:", "", "    " + command, ""]
    return "\n".join(lines).rstrip() + "\n"
