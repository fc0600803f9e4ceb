# SPDX-License-Identifier: MIT
"""What the variables of `make` were given as: where one means nothing its tool ends, by a sentence that says what would do."""

import sys


def number(tool: str, name: str, text: str, what: str, low: int = 1, high: int = 9999) -> int:
    """NAME=TEXT: so many of `what`, from `low` to `high`."""
    if text.isascii() and text.isdigit() and len(text) <= 9 and low <= int(text) <= high:
        return int(text)
    print(f"{tool}: {name}={text} is no number of {what}: {low} to {high}", file=sys.stderr)
    sys.exit(2)


def jobs(tool: str, text: str) -> int:
    """JOBS: so many at a time."""
    return number(tool, "JOBS", text, "processes")


def known(tool: str, name: str, given, there, where: str) -> None:
    """Each word that NAME has is there; `where`: what lists them."""
    for word in given:
        if word not in there:
            print(f"{tool}: {name}={word} is none; {where}", file=sys.stderr)
            sys.exit(2)
