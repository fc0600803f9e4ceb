# SPDX-License-Identifier: MIT
"""One concept a file, one thought a function: no source file has 500 lines, no C function a body of 60."""

import os

from hf_config import ROOT

FILE, FUNCTION = 500, 60
TOPS = ("boot", "kernel", "mm", "dax", "drivers", "tests")
ENDINGS = (".c", ".h", ".asm", ".py", ".sh", ".js", ".mk", ".ld")


def sources():
    """Every source file below TOPS, by its path from the root."""
    for top in TOPS:
        for folder, folders, names in os.walk(os.path.join(ROOT, top)):
            folders[:] = [name for name in folders if name != "__pycache__"]
            yield from (os.path.relpath(os.path.join(folder, name), ROOT)
                        for name in names if name.endswith(ENDINGS))


def too_long(path, text):
    """A sentence for each thing that is too long. A body is what stands between braces in column 0."""
    lines = text.splitlines()
    if len(lines) >= FILE:
        yield f"{path} has {len(lines)} lines: it may have {FILE - 1}"
    begin = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            begin = number
        elif line == "}" and begin:
            if number - begin - 1 >= FUNCTION:
                yield f"{path}:{begin}: a body of {number - begin - 1} lines: it may have {FUNCTION - 1}"
            begin = None


def test_nothing_is_too_long():
    """All of the tree."""
    found = []
    for path in sources():
        with open(os.path.join(ROOT, path), encoding="utf-8", errors="replace") as stream:
            found += too_long(path, stream.read())
    assert found == []


def test_what_is_too_long_is_named():
    """The first length that is one too many, and the last that is not; a struct is no function."""
    def body(lines):
        return "struct s {\n};\nint f(void)\n{\n" + "\tg();\n" * lines + "}\n"
    assert list(too_long("a.c", body(59))) == []
    assert list(too_long("a.c", body(60))) == ["a.c:4: a body of 60 lines: it may have 59"]
    assert list(too_long("a.py", "\n" * 499)) == []
    assert list(too_long("a.py", "\n" * 500)) == ["a.py has 500 lines: it may have 499"]
