# SPDX-License-Identifier: MIT
"""Numbers and tables as the page shows them."""

from typing import Dict, List, Optional, Sequence

Column = Dict[str, dict]

# What a row may carry beside its value, and what these are called.
COUNTS = ("atomics", "clwb", "tlb", "ipi", "fences", "cr3")
NAMES = ("atomics", "lines written back", "TLB invalidations", "IPIs", "fences", "loads of CR3")


def number(value: Optional[float]) -> str:
    """At least four digits that mean something, thousands apart."""
    if value is None:
        return "–"
    if abs(value) >= 1000 or value == int(value):
        return f"{round(value):,}".replace(",", " ")
    return f"{value:.2f}".rstrip("0").rstrip(".")


def value_of(row: Optional[dict]) -> Optional[float]:
    return row.get("value") if row else None


def figure(row: Optional[dict], instead: str = "–") -> str:
    value = value_of(row)
    return instead or "–" if value is None else number(value)


def table(head: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int]) -> List[str]:
    """A Markdown table; `right`: the columns that are numbers."""
    rule = ["---:" if n in right else "---" for n in range(len(head))]
    return ["| " + " | ".join(cells) + " |" for cells in [head, rule, *rows]] + [""]
