# SPDX-License-Identifier: MIT
"""The six lifetimes have one shape: `diff` of two files is the lesson, so both must tell it alike.

Seen from the source: the fields of the opening comment, the steps and their order, the order of
the table. No machine is started.
"""

import os
import re

import pytest

from hf_config import ROOT

NAMES = ("unaware", "lease-poll", "idle-at-one", "zap-to-zero", "counted-map", "busy-extent")
FIELDS = ["Years", "Patches", "Rest", "Mapping", "Busy", "Waker", "Fixed", "Broken"]
ERAS = ("idle-at-one", "counted-map")  # these stand for several years of Linux, and say which
STEPS = ["detach", "busy", "last_put", "wait_idle", "scan", "break_layout", "evict"]
BEFORE = {"zap-to-zero": ["attach"]}
OWN = {"lease-poll": ["gup_begin", "gup_end", "settle"],
       "busy-extent": ["release", "freed", "blocked", "may_take"]}
FOLDER = os.path.join(ROOT, "dax", "lifetime")


def source(name):
    with open(os.path.join(FOLDER, name + ".c"), encoding="utf-8") as file:
        return file.read()


def test_these_six_and_no_other():
    """A seventh design has to be listed here, too."""
    assert {f[:-2] for f in os.listdir(FOLDER) if f.endswith(".c")} == {*NAMES, "table", "gup_lease"}


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
    set_to = dict(re.findall(r"\.([a-z_]+) = ([a-z_]+)[,}]", source(name)))
    assert {f: set_to.get(f) for f in expected if f not in ("last_put", "release")} == {
        f: f for f in expected if f not in ("last_put", "release")}


def test_the_tables():
    """The members are set in the order of struct lifetime."""
    with open(os.path.join(FOLDER, "lifetime.h"), encoding="utf-8") as file:
        struct = re.search(r"(?ms)^struct lifetime \{(.*?)^\};", file.read()).group(1)
    struct = re.sub(r"(?s)/\*.*?\*/", "", struct)
    members = re.findall(r"\b([a-z_]+)\b(?=[,;]|\)\()", struct)
    for name in NAMES:
        used = re.findall(r"(?m)^\t\.([a-z_]+) =", source(name))
        assert used == sorted(used, key=members.index), (name, members)
