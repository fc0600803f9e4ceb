# SPDX-License-Identifier: MIT
"""From measured rows to judged tables: on stderr for `make bench`, in docs/performance.md for
bench-peer.

Pure: dictionaries in, text out. A row is what a kernel printed as JSON: {"bench", "value", "unit",
"n"} and perhaps what COUNTS lists; or {"bench", "skip"}. A column is {name: row}.
"""

from typing import Dict, List, Optional, Sequence, Tuple

from peer_kept import KEPT
from peer_rows import BY_NAME, FAMILIES, LEFT, ROWS, Row, why_more
from peer_store import Measured
from peer_text import COUNTS, NAMES, Column, figure, number, table, value_of

SAME = 0.005  # differences below are none
SAME_SINGLE = 0.05  # of a figure that comes from one call
ROUNDING = 0.01  # counts have two decimals


# ---- one row ----


def times(most: float) -> str:
    return f"{most:.1f} ×" if most < 1000 else number(most) + " ×"


def ratio(linux: Sequence[Optional[dict]], holdfast: Optional[dict]) -> str:
    """How many times Holdfast's figure the least of Linux's is."""
    theirs = [value for value in map(value_of, linux) if value is not None]
    ours = value_of(holdfast)
    if not theirs or ours is None:
        return "–"
    if not ours:
        return "∞" if min(theirs) else "1"
    return times(min(theirs) / ours)


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
    return row.reach_text or ("–" if row.reach is None else f"≤ {number(row.reach)}")


def missed(holdfast: Column) -> List[str]:
    return [row.bench for row in ROWS if verdict(row, holdfast).startswith("missed")]


def summary(holdfast: Column) -> str:
    verdicts = [verdict(row, holdfast) for row in ROWS]
    return (f"{len(ROWS)} rows: {verdicts.count('met')} targets met, "
            f"{sum(v.startswith('missed') for v in verdicts)} missed, "
            f"{verdicts.count('skipped')} rows skipped by Holdfast, "
            f"{verdicts.count('not judged') + verdicts.count('not run')} not judged or not run.")


# ---- tables ----


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


def figures(linux: List[Measured], holdfast: Column) -> List[str]:
    """A column for each Linux; the comparison is with the least of them."""
    rows = []
    for row in ROWS:
        theirs, ours = [one.rows.get(row.bench) for one in linux], holdfast.get(row.bench)
        rows.append([f"`{row.bench}`", row.unit, *(figure(one, row.linux_text) for one in theirs),
                     figure(ours), ratio(theirs, ours), reach_text(row), verdict(row, holdfast)])
    return table(["row", "unit", *(one.name for one in linux), "Holdfast",
                  "least Linux ÷ Holdfast", "reach", "target"], rows, range(2, 5 + len(linux)))


def operations(row: Optional[dict]) -> str:
    return number(row["n"]) if row and "n" in row else "–"


def scopes(linux: List[Measured], holdfast: Column) -> List[str]:
    kernels = [(one.name, one.rows) for one in linux] + [("Holdfast", holdfast)]
    rows = [[f"`{row.bench}`", row.what, row.scope or "the same",
             *(operations(column.get(row.bench)) for _, column in kernels)] for row in ROWS]
    rows += [[f"`{name}`", what, scope] + ["–"] * len(kernels) for name, what, scope in FAMILIES]
    return table(["row", "what is measured", "scope",
                  *(f"operations, {name}" for name, _ in kernels)], rows,
                 range(3, 3 + len(kernels)))


# ---- what instructions hide ----


def least(linux: List[Measured], bench: str, count: str) -> Optional[float]:
    found = [one.rows[bench][count] for one in linux if count in one.rows.get(bench, {})]
    return min(found) if found else None


def uses_more(linux: List[Measured], bench: str, ours: dict) -> List[int]:
    """What Holdfast uses more of than the Linux that uses least: places in COUNTS."""
    found = []
    for n, name in enumerate(COUNTS):
        theirs = least(linux, bench, name)
        if theirs is not None and name in ours and ours[name] > theirs * (1 + SAME) + ROUNDING:
            found.append(n)
    return found


def hidden_costs(linux: List[Measured], holdfast: Column) -> List[str]:
    rows = []
    for row in ROWS:
        ours = holdfast.get(row.bench, {})
        kernels = [one.rows.get(row.bench, {}) for one in linux] + [ours]
        if not any(name in column for name in COUNTS for column in kernels):
            continue
        cells = [" / ".join(number(column.get(name)) for column in kernels) for name in COUNTS]
        more = ", ".join(NAMES[n] for n in uses_more(linux, row.bench, ours))
        rows.append([f"`{row.bench}`", *cells, f"more {more}" if more else ""])
    return table(["row", *NAMES, "Holdfast"], rows, range(1, 1 + len(COUNTS)))


def more_than_linux(linux: List[Measured], holdfast: Column) -> List[str]:
    """A sentence for each row and kind that Holdfast uses more of."""
    lines = []
    for row in ROWS:
        ours = holdfast.get(row.bench, {})
        for n in uses_more(linux, row.bench, ours):
            why = why_more(row, COUNTS[n])
            lines.append(f"* `{row.bench}`, {NAMES[n]}: {number(ours[COUNTS[n]])}, Linux "
                         f"{number(least(linux, row.bench, COUNTS[n]))}: {why}.")
    if not lines:
        return ["In no row Holdfast uses more of any of these than any Linux here.", ""]
    return ["Holdfast uses more than the Linux that uses least here, and nowhere else:", "", *lines,
            ""]


def skipped(holdfast: Column) -> List[str]:
    lines = [f"* `{row.bench}`: {holdfast[row.bench]['skip']}" for row in ROWS
             if "skip" in holdfast.get(row.bench, {})]
    lines += [f"* `{row.bench}`: Holdfast printed no such row" for row in ROWS
              if row.bench not in holdfast and not row.scope.startswith("Linux alone")]
    return lines + [""] if lines else ["None.", ""]


# ---- repeating ----


def differs(first: Optional[dict], second: Optional[dict]) -> Optional[float]:
    """The relative difference of two values; None: both have none."""
    a, b = value_of(first), value_of(second)
    if a is None or b is None:
        return None if (a is None) == (b is None) else float("inf")
    return 0.0 if a == b else abs(b - a) / max(abs(a), abs(b))


def is_wall(row: dict) -> bool:
    return row.get("unit", "").split("/")[0] in ("s", "ns")


def weigh(row: dict, change: float) -> str:
    if is_wall(row):
        return "wall time, which never repeats"
    return "none" if change <= (SAME_SINGLE if row.get("n") == 1 else SAME) else "a difference"


def repeats(name: str, first: Column, second: Column) -> List[str]:
    """How many rows gave the same digits twice, and the rows that did not."""
    rows, same, total = [], 0, 0
    for bench in sorted(set(first) | set(second)):
        change = differs(first.get(bench), second.get(bench))
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


def kept_faults(linux: List[Measured],
                kept: Optional[Dict[str, Dict[str, float]]] = None) -> List[str]:
    """Where a column does not confirm what the targets are reckoned from."""
    lines = []
    for one in linux:
        series = one.name.split()[-1]
        figures_kept = (KEPT if kept is None else kept).get(series, {})
        for bench, row in one.rows.items():
            if bench not in BY_NAME or is_wall(row):
                continue
            change = differs({"value": figures_kept.get(bench)}, row)
            if change and weigh(row, change) != "none":
                lines.append(f"peer_kept.py: {bench} of Linux {series} is kept as "
                             f"{figures_kept.get(bench)}, measured {row['value']}")
    return lines


# ---- why a target is missed ----


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
        if name in LEFT:
            lines.append(f"  Where it goes: {LEFT[name]}.")
    return lines + [""]
