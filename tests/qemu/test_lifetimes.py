# SPDX-License-Identifier: MIT
"""The lifetimes have one shape: `diff` of two files is the lesson, so both must tell it alike.

Seen from the source: the fields of the opening comment, the steps and their order, the order of
the table. No machine is started.
"""

import difflib
import os
import re

import pytest

from hf_config import ROOT

NAMES = ("unaware", "lease-poll", "idle-at-one", "zap-to-zero", "counted-map", "refuse-busy",
         "busy-extent")
FIELDS = ["Years", "Patches", "Rest", "Mapping", "Busy", "Waker", "Fixed", "Broken"]
ERAS = ("idle-at-one", "counted-map")  # these stand for several years of Linux, and say which
STEPS = ["detach", "busy", "last_put", "wait_idle", "scan", "break_layout", "evict"]
BEFORE = {"zap-to-zero": ["attach"]}
OWN = {"lease-poll": ["gup_begin", "gup_end", "settle"],
       "busy-extent": ["freed", "release", "idle_run", "may_take"]}
COMMON = ("busy", "wait_idle", "scan", "break_layout", "evict", "detach")  # LIFETIME_STEPS sets these
MACHINERY = ("gup_lease", "busy_blocks")  # of one design each: too much for a page of steps
FOLDER = os.path.join(ROOT, "dax", "lifetime")


def source(name):
    with open(os.path.join(FOLDER, name + ".c"), encoding="utf-8") as file:
        return file.read()


def test_these_and_no_other():
    """Another design has to be listed here, too."""
    assert {f[:-2] for f in os.listdir(FOLDER) if f.endswith(".c")} == {*NAMES, "table",
                                                                         *MACHINERY}


@pytest.mark.parametrize("name", NAMES)
def test_the_opening_comment(name):
    """Name first, then the same fields in the same order, none of them empty."""
    comment = source(name).split("*/")[1]
    assert comment.lstrip().startswith(f"/*\n * {name}: "), comment[:200]
    fields = FIELDS[:-1] + ["Eras"] * (name in ERAS) + FIELDS[-1:]
    assert re.findall(r"(?m)^ \* ([A-Z][a-z]+)  +\S", comment) == fields, comment


@pytest.mark.parametrize("name", NAMES)
def test_the_steps(name):
    """The same names in the same order; what a design has beyond them comes behind, but for attach,
    which is the life's begin. A step is implemented by the function of its name."""
    functions = re.findall(r"(?m)^static [a-z].*?\b\*?([a-z_]+)\([^;]*$", source(name))
    expected = BEFORE.get(name, []) + STEPS + OWN.get(name, [])
    assert [f for f in functions if f in expected] == expected, functions
    with open(os.path.join(FOLDER, "lifetime.h"), encoding="utf-8") as file:
        steps = re.search(r"(?ms)^#define LIFETIME_STEPS.*?[^\\]$", file.read()).group(0)
    assert sorted(re.findall(r"\.(\w+) = (\w+)", steps)) == sorted((f, f) for f in COMMON), steps
    tables = re.split(r"(?m)^const struct lifetime ", source(name))[1:]
    for table in tables:
        assert table.count("\tLIFETIME_STEPS,\n") == 1, table
        own = [f for f in BEFORE.get(name, []) + OWN.get(name, []) if f != "release"]
        assert re.findall(r"(?m)^\t\.(\w+) = \1,$", table) == own, table


def code(name):
    """The lines of a design's file that are no comment and not empty."""
    return [line.rstrip() for line in re.sub(r"(?s)/\*.*?\*/", "", source(name)).split("\n")
            if line.strip()]


def changed(one, other):
    """How many lines of code `diff` shows of two designs, both sides counted."""
    return sum(line[0] in "+-" and line[:3] not in ("+++", "---")
               for line in difflib.unified_diff(code(one), code(other), n=0, lineterm=""))


@pytest.mark.parametrize("one,other,most", [
    ("unaware", "lease-poll", 60), ("lease-poll", "idle-at-one", 90),
    ("idle-at-one", "zap-to-zero", 130), ("zap-to-zero", "counted-map", 130),
    ("unaware", "idle-at-one", 75), ("counted-map", "refuse-busy", 60), ("refuse-busy", "busy-extent", 70),
    ("counted-map", "busy-extent", 95)])
def test_the_difference_is_a_page(one, other, most):
    """A design beside its neighbour: what differs is what the two do, and fits a page. What they
    say of themselves is in table.c; what only one of them needs is in a file of its own."""
    assert 20 < changed(one, other) <= most, changed(one, other)


def test_the_tables():
    """The members are set in the order of struct lifetime."""
    with open(os.path.join(FOLDER, "lifetime.h"), encoding="utf-8") as file:
        struct = re.search(r"(?ms)^struct lifetime \{(.*?)^\};", file.read()).group(1)
    struct = re.sub(r"(?s)/\*.*?\*/", "", struct)
    members = re.findall(r"\b([a-z_]+)\b(?=[,;]|\)\()", struct)
    for name in NAMES:
        for table in re.split(r"(?m)^const struct lifetime ", source(name))[1:]:
            used = re.findall(r"(?m)^\t\.([a-z_]+) =", table)
            assert used == sorted(used, key=members.index), (name, members)
