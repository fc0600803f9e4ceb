# SPDX-License-Identifier: MIT
"""Nothing calls upward, and what does is seen: tests/tools/floors.py on the tree, and on a small one."""

import os
import subprocess
import sys

import pytest

from hf_config import ROOT

sys.path.insert(0, os.path.join(ROOT, "tests", "tools"))
import csource  # noqa: E402
import floors  # noqa: E402
import unused  # noqa: E402


def test_nothing_calls_upward():
    """No include and no symbol of this tree goes from a floor to a higher one."""
    assert floors.bad_includes(ROOT) + floors.bad_symbols(os.path.join(ROOT, "build")) == []


def test_what_calls_upward_is_named(tmp_path):
    """An include, and a prototype written by hand: each is found, with both ends."""
    tree = {
        "kernel/a.c": '#include "mm/b.h"\nint f(void);\nint a(void) { return f(); }\n',
        "mm/b.c": '#include "kernel/a.h"\nint f(void) { return 1; }\n',
        "kernel/a.h": "\n", "mm/b.h": "\n",
        "drivers/clients/c.c": '#include "dax/d.h"\n',
        "dax/d.h": '#include "drivers/clients/c.h"\n'}
    for path, text in tree.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    for path in ("kernel/a.c", "mm/b.c"):
        target = tmp_path / "build" / "obj" / (path + ".o")
        target.parent.mkdir(parents=True)
        subprocess.run(["gcc", "-I", tmp_path, "-c", tmp_path / path, "-o", target], check=True)
    assert floors.bad_includes(str(tmp_path)) == [
        "dax/d.h includes drivers/clients/c.h, which lies higher",
        "kernel/a.c includes mm/b.h, which lies higher"]
    found = floors.bad_symbols(str(tmp_path / "build"))
    assert found[0] == "kernel/a.c refers to f, which mm/b.c defines, higher up"
    assert len(found) == 1 + len(floors.ALLOWED), "and the allowances of the real tree are unused"
    assert "no objects" in floors.bad_symbols(str(tmp_path / "nothing"))[0]


def test_device_dax_needs_no_files():
    """With files on DAX left out, mm/, drivers/ and device-dax link: no symbol of theirs is missing."""
    defined, wanted = floors.symbols(os.path.join(ROOT, "build"), ROOT)
    without = ("dax/device/devdax.c", "dax/device/devdax_remove.c", "dax/device/device.c",
               "dax/device/mode.c", "dax/lease/client.c", "dax/lease/lease.c")
    missing = {(path, symbol) for path, symbol in wanted
               if path in without and defined.get(symbol, "").startswith("dax/")
               and defined[symbol] not in without}
    assert {path for path, _ in wanted} >= set(without) and missing == set()


def test_devices_are_told_bus_addresses(tmp_path):
    """No driver or client deals in physical addresses: here, and seen to fail."""
    assert floors.bad_addresses(ROOT) == []
    tree = {"drivers/edu/a.c": "/* virt_to_phys()\n */\nint a;\nuint64_t b = virt_to_phys(p);\n",
            "drivers/clients/b.c": "seg.phys = 1;\nx = seg.phys == 1;\n",
            "drivers/block/c.c": "f = frame_alloc_zero();\n", "dax/d.c": "int f(uint64_t phys);\n",
            "drivers/iommu/e.c": "x = virt_to_phys(p);\n",
            "drivers/edu/f.c": "set(e, page_to_pfn(dma_page(m, i)) << PAGE_SHIFT);\nkprintf(page_to_pfn(p));\n",
            "drivers/clients/g.c": "at = m->pfn * PAGE_SIZE;\nn = m->nr * PAGE_SIZE;\n",
            "drivers/block/h.c": "memcpy(phys_to_virt(x), y, n);\n",
            "dax/i.c": "p = phys_to_virt(pfn << PAGE_SHIFT); /* for the CPU */\n"}
    for path, text in tree.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    found = [line.split(":")[0] + line.split("deals")[0].split(":")[1].rstrip()
             for line in floors.bad_addresses(str(tmp_path))]
    assert sorted(found) == ["dax/d.c1", "drivers/block/c.c1", "drivers/block/h.c1",
                             "drivers/clients/b.c1", "drivers/clients/g.c1", "drivers/edu/a.c4",
                             "drivers/edu/f.c1"]


def test_a_folder_has_one_face(tmp_path):
    """One public header a folder, and what is internal stays on its floor: here, and seen to fail."""
    assert floors.bad_headers(ROOT) == []
    tree = {"mm/page/page.h": "\n", "mm/page/record.h": "\n", "mm/page/internal.h": "\n",
            "mm/gup/gup.c": '#include "mm/page/internal.h"\n',
            "dax/a.c": '#include "mm/page/internal.h"\n',
            "tests/kernel/t.c": '#include "mm/page/internal.h"\n'}
    for path, text in tree.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    found = floors.bad_headers(str(tmp_path))
    assert sorted(found) == ["dax/a.c includes mm/page/internal.h, which is internal to another floor",
                             "mm/page/record.h is a second public header beside mm/page/page.h"]


def test_what_nobody_calls_is_gone():
    """Every function that others may call, and every operation in a header, has a caller."""
    texts = {path: csource.read(path) for path in csource.c_files(*csource.FLOORS, "tests/kernel")}
    assert unused.unused_functions(os.path.join(ROOT, "build")) + unused.unused_operations(texts) == []


def test_what_nobody_calls_is_named(tmp_path, monkeypatch):
    """A function without a caller, one with a caller in its own file only, and an operation."""
    tree = {"kernel/a.c": "int f(void);\nint lone(void)\n{\n\treturn 0;\n}\n\n"
                          "int own(void)\n{\n\treturn 1;\n}\n\nint a(void)\n{\n\treturn own() + f();\n}\n",
            "mm/b.c": "int a(void);\nint f(void)\n{\n\treturn a();\n}\n"}
    for path, text in tree.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
        target = tmp_path / "build" / "obj" / (path + ".o")
        target.parent.mkdir(parents=True)
        subprocess.run(["gcc", "-O0", "-c", tmp_path / path, "-o", target], check=True)
    for module in (csource, unused):
        monkeypatch.setattr(module, "ROOT", str(tmp_path))
    found = unused.unused_functions(str(tmp_path / "build"))
    assert found[:2] == [f"kernel/a.c: nobody else calls {name}(): make it static, or take it away"
                         for name in ("lone", "own")]
    assert all(line.startswith("unused.py keeps ") for line in found[2:]) and len(found) > 2
    header = "struct ops {\n\tint (*used)(int);\n\tint (*chosen)(int);\n\tint (*idle)(int);\n};\n"
    texts = {"mm/a.h": header, "mm/a.c": "x = o->used(1);\nf = y ? o->used : o->chosen;\no->idle = g;\n"}
    assert unused.unused_operations(texts) == ["mm/a.h:4: nobody calls the operation idle"]


TOP = {".ci", ".clang-format", ".gitignore", ".valgrindrc", "CAVEATS.md", "LICENSE", "Makefile", "README.md",
       "linker.ld", "boot", "dax", "docs", "drivers", "findings", "kernel", "labs", "mm", "tests"}


def test_the_top_level_is_the_documented_one():
    """What is in the repository at its top is meant to be there: a note of somebody's own is not."""
    done = subprocess.run(["git", "-C", ROOT, "ls-tree", "--name-only", "HEAD"],
                          capture_output=True, text=True)
    if done.returncode:
        pytest.skip("no repository here (an unpacked archive): nothing says what belongs to it")
    assert set(done.stdout.split()) == TOP
