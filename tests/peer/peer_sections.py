# SPDX-License-Identifier: MIT
"""Sections of the page about Holdfast alone: seven lifetimes, growth by pages and by CPUs, the TLB.

Pure, as peer_report: columns in, lines out. A section whose rows did not run says so.
"""

from typing import List, Optional, Tuple

from peer_rows import (CPUS, FLAT, GROWTH, LIFETIME_ROWS, LIFETIMES, SIZES, SMP, SMP_GROWTH, TLB)
from peer_text import Column, figure, number, table, value_of

NOT_RUN = "Not run."


# ---- lifetimes ----


def lifetime_cell(holdfast: Column, lifetime: str, name: str) -> str:
    return figure(holdfast.get(f"lifetime.{lifetime}.{name}"))


def busy_verdict(holdfast: Column) -> str:
    """truncate.busy of the default design may cost twice the idle one."""
    idle, busy = (value_of(holdfast.get(f"lifetime.busy-extent.truncate.{kind}"))
                  for kind in ("idle", "busy"))
    if not idle or busy is None:
        return "`truncate.busy` under busy-extent: not run."
    verdict = "met" if busy <= 2 * idle else f"missed by {(busy / (2 * idle) - 1) * 100:.0f} %"
    return (f"`truncate.busy` under busy-extent is {busy / idle:.3f} times `truncate.idle`; it may "
            f"be 2 times: {verdict}.")


def lifetime_skips(holdfast: Column) -> List[str]:
    """Why a cell is empty, each reason once."""
    reasons = {}
    for lifetime in LIFETIMES:
        for name, _, _ in LIFETIME_ROWS:
            row = holdfast.get(f"lifetime.{lifetime}.{name}", {})
            if "skip" in row:
                reasons.setdefault((name, row["skip"]), []).append(lifetime)
    return [f"* `{name}` of {', '.join(which)}: {why}" for (name, why), which in reasons.items()]


def lifetimes(holdfast: Column) -> List[str]:
    lines = ["## The lifetimes", ""]
    if not any(name.startswith("lifetime.") for name in holdfast):
        return lines + [NOT_RUN, ""]
    lines += ["Each row is `lifetime.LT.ROW` of `bench`: the same work under the seven designs, in "
              "the order of history.", ""]
    rows = [[f"`{name}`", unit] + [lifetime_cell(holdfast, lt, name) for lt in LIFETIMES]
            for name, unit, _ in LIFETIME_ROWS]
    lines += table(["row", "unit", *LIFETIMES], rows, range(2, 2 + len(LIFETIMES)))
    lines += [busy_verdict(holdfast), "",
              "A design that waits waits as long as the holder likes: that is no figure. What its "
              "thread runs is shown; the most of it makes the sentence by which `ps` names page, "
              "holders and waker. Under lease-poll it is the sleeper's hundred looks at the lease "
              "in the second until the poll comes. Its held page has a lease, which knows holder, "
              "date and what ends it, as leases do that can be revoked. "
              "unaware and, for truncate, lease-poll do not "
              "wait either: they free the block under the device (A-1, B-7).", ""]
    skips = lifetime_skips(holdfast)
    if skips:
        lines += ["Empty cells:", "", *skips, "* `poll.…` of all but lease-poll: nobody polls", ""]
    lines += table(["row", "what is measured"],
                   [[f"`{name}`", what] for name, _, what in LIFETIME_ROWS], ())
    return lines


# ---- growth by pages ----


def slopes(holdfast: Column, work: str) -> List[float]:
    """What each further page costs between neighbouring sizes, from 64 pages on; [] if one is
    missing."""
    values = [value_of(holdfast.get(f"growth.{work}.4k.{size}")) for size in SIZES]
    if None in values:
        return []
    total = [(size, size * value) for size, value in zip(SIZES, values)][1:]
    return [(t2 - t1) / (n2 - n1) for (n1, t1), (n2, t2) in zip(total, total[1:])]


def flatness(found: List[float]) -> str:
    if not found or min(found) <= 0:
        return "not run" if not found else "not judged"
    spread = max(found) / min(found)
    text = f"{number(min(found))} to {number(max(found))}, {(spread - 1) * 100:.1f} %"
    return f"{text}: {'flat' if spread <= FLAT else 'grows'}"


def growth(holdfast: Column) -> List[str]:
    lines = ["## Growth", "", "Instructions per page of one section over N pages. A section has a "
             "fixed part, which few pages share; growth is what each further page costs, "
             "(T(4N) − T(N)) / 3N from 64 pages on, and is flat when the dearest is at most a "
             "tenth above the cheapest.", ""]
    rows = []
    for work, what in GROWTH.items():
        cells = [figure(holdfast.get(f"growth.{work}.4k.{size}")) for size in SIZES]
        rows.append([f"`growth.{work}.4k.N`: {what}", *cells, flatness(slopes(holdfast, work))])
    return lines + table(["row", *(number(size) for size in SIZES), "a further page"], rows,
                         range(1, 1 + len(SIZES)))


# ---- growth by CPUs ----


def smp_verdict(values: List[Optional[float]]) -> str:
    if None in values or not values[0]:
        return "not run"
    grown = max(values) / values[0]
    return f"{grown:.3f} ×: {'met' if grown < SMP_GROWTH else 'missed'}"


def cpus(holdfast: Column) -> List[str]:
    lines = ["## CPUs side by side", "", "Instructions per operation with N of 8 CPUs at work at "
             "the same time, each on its own file in its own address space: ticks of the section ÷ "
             "operations of all CPUs. All CPUs share one clock, so what one does more because "
             f"another is there is in it. The largest is to be below {SMP_GROWTH} times the first. "
             "Lines that travel between caches do not show; the self-tests "
             "`smp.no-shared-locked-line-*` find no line that two CPUs write by a locked "
             "operation.", ""]
    rows = []
    for work, what in SMP.items():
        values = [value_of(holdfast.get(f"smp.{work}.{n}")) for n in CPUS]
        rows.append([f"`smp.{work}.N`: {what}", *(number(value) for value in values),
                     smp_verdict(values)])
    return lines + table(["row", *(f"{n} CPU{'s' if n > 1 else ''}" for n in CPUS),
                          "largest ÷ first"], rows, range(1, 1 + len(CPUS)))


# ---- the TLB ----


def break_even(holdfast: Column) -> Optional[Tuple[float, float]]:
    """Flushing everything costs as much as: (so many pages, plus this for each translation that is
    wanted again)."""
    page, everything, load, refill = (value_of(holdfast.get(name)) for name, _ in TLB)
    if not page or None in (everything, load, refill):
        return None
    return everything / page, refill - load


def tlb(holdfast: Column) -> List[str]:
    lines = ["## The TLB", "", "INVLPG is one instruction and a refill is none, so these rows ran "
             "without `-icount`, in nanoseconds of this host under TCG: they compare with each "
             "other on one machine, and with nothing else. The threshold between pages and "
             "everything is weighed in mm/tables/tlb.c.", ""]
    lines += table(["row", "what", "ns"],
                   [[f"`{name}`", what, figure(holdfast.get(name))] for name, what in TLB], (2,))
    found = break_even(holdfast)
    if found:
        lines += [f"Flushing everything costs as much as {number(round(found[0], 1))} pages, plus "
                  f"{number(round(found[1], 1))} ns for each translation that was still wanted.",
                  ""]
    return lines
