# SPDX-License-Identifier: MIT
"""A build says how far it is: each file with its number, and with how many there are (tests/tools/compiling.mk).

In a copy of some of the tree's sources, with compilers that only say which files they read, and a linker that fails: so
nothing behind the compilation is done, whatever the goal."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from hf_config import BUILD, ROOT

sys.path.insert(0, os.path.join(ROOT, "tests", "tools"))
import lab  # noqa: E402
import to_compile  # noqa: E402

LEFT_OUT = re.compile(r"dax/|drivers/|docs/|labs/|findings/|tests/(kernel/(unit|seed|race|bench)|qemu|explore/scenarios|peer)/|"
                      r"tests/host/test_[^b]")
COMPILER = """#!/bin/sh
case " $* " in *" -c "*|*" -MD "*) ;; *) exec {real} "$@" ;; esac
for word; do
	case $before in -o) object=$word ;; -MD) list=$word ;; -c) source=$word ;; esac
	before=$word
done
case $source in *.c) ;; *) source=$word ;; esac
echo "$object: $source kernel/kernel.h" >"${{list:-${{object%.o}}.d}}"
: >"$object"
"""
TOLD = re.compile(r"^  (?:CC|HOSTCC|NASM) +\[ *(\d+)/(\d+)\] (\S+)$", re.M)
WITHOUT = re.compile(r"^  (?:CC|HOSTCC|NASM) +([^\[\s]\S*)$", re.M)


@pytest.fixture(scope="module", name="tree")
def made_tree(tmp_path_factory):
    """The copy; `make(WORDS)` in it gives [(number, of, file)] and all that was said."""
    folder = tmp_path_factory.mktemp("compiling")
    root, tools = folder / "tree", folder / "tools"
    tools.mkdir()
    for name in lab.sources(ROOT):
        if not LEFT_OUT.match(name):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(os.path.join(ROOT, name), root / name)
    for name in ("build", "dax", "drivers"):
        (root / name).mkdir(exist_ok=True)
    for library in ("newlib", "newlib-host"):
        os.symlink(os.path.join(BUILD, library), root / "build" / library)
    for name, text in (("gcc", COMPILER), ("nasm", COMPILER), ("ld", "#!/bin/sh\nexit 1\n")):
        (tools / name).write_text(text.format(real=shutil.which(name)))
        (tools / name).chmod(0o755)
    env = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    env["PATH"] = f"{tools}:{env['PATH']}"

    def make(*words):
        done = subprocess.run(["make", "-k", "-j3", *words], cwd=root, env=env, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False)
        return [(int(n), int(of), file) for n, of, file in TOLD.findall(done.stdout)], done.stdout

    return root, make


def whole(told, said):
    """Each file has a number, none is left out, and the total was right."""
    assert told and not WITHOUT.findall(said), said
    of = told[0][1]
    assert sorted(n for n, _, _ in told) == list(range(1, of + 1)), said
    assert {total for _, total, _ in told} == {of}
    return of


def test_a_build_counts(tree):
    """From nothing, after a change of a header, of one file, of the Makefile; and nothing is said where nothing is to be done."""
    root, make = tree
    first = whole(*make("all", "host", "host-test"))
    objects = [path for path in (root / "build").rglob("obj/**/*.o") if "newlib" not in path.parts]
    assert first == len(objects) > 300
    assert make("all", "host", "host-test")[0] == []
    os.utime(root / "kernel" / "kernel.h")
    assert whole(*make("quick", "host")) == first
    os.utime(root / "mm" / "init.c")
    assert whole(*make("test-labs")) == 2, "the kernel's object and that of the home in a process"
    (root / "build" / "obj" / "mm" / "init.c.o").unlink()
    told, said = make("run")
    assert whole(told, said) == 1 and "CC      [1/1] mm/init.c\n" in said
    os.utime(root / "tests" / "host" / "one_case.c")
    assert whole(*make("build/host/test_boot_ranges")) == 1
    os.utime(root / "Makefile")
    assert 0 < whole(*make("all", "host", "host-test")) < first, "the home's objects stand on their flags, and on no Makefile"


def test_other_flags(tree):
    """They make all of a home's objects anew, and that is known before they are written down."""
    root, make = tree
    make("all", "host")
    rules = root / "boot" / "host" / "host.mk"
    rules.write_text(rules.read_text().replace("HOME_ONLY := -DHOST_HOME", "HOME_ONLY := -DHOST_HOME -DMORE"))
    os.utime(root / "mm" / "init.c")
    assert whole(*make("all", "host")) > 100
    assert make("all", "host")[0] == []


def test_the_commands_themselves(tree):
    """V=1 shows what is run, and no numbers."""
    root, make = tree
    make("all")
    os.utime(root / "mm" / "init.c")
    told, said = make("V=1")
    assert told == [] and WITHOUT.findall(said) == ["mm/init.c"]


def test_the_c_library(tree, tmp_path):
    """Its files are counted as well. What newlib 4 compiles is configured with that compiler: test-systems looks there."""
    with open(os.path.join(BUILD, "config.mk"), encoding="utf-8") as config:
        tarball = re.search(r"^NEWLIB_TAR := (.*)$", config.read(), re.M)[1]
    if "newlib-3" not in tarball:
        pytest.skip("a newlib that is configured: make test-systems CHECK=newlib counts its files")
    compiler = tree[0].parent / "tools" / "gcc"
    done = subprocess.run(["tests/tools/newlib.sh", tarball, tmp_path / "newlib", compiler], cwd=ROOT, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True)
    told = re.findall(r"^  CC +\[ *(\d+)/(\d+)\] newlib, libc/\S+$", done.stdout, re.M)
    assert whole([(int(n), int(of), "") for n, of in told], done.stdout) > 50


def test_every_goal_that_compiles_is_known():
    """Whatever has the kernel, the home or the host tests among its prerequisites is in the list for it."""
    with open(os.path.join(ROOT, "Makefile"), encoding="utf-8") as makefile:
        rules = re.findall(r"^([a-z][a-z -]*):(?!=)(.*)$", makefile.read(), re.M)
    with open(os.path.join(ROOT, "tests", "tools", "compiling.mk"), encoding="utf-8") as lists:
        known = {name: set(words.replace("\\\n", " ").replace("(TOKEN),,", "").split())
                 for name, words in re.findall(r"^(ON_\w+) := ((?:.*\\\n)*.*)$", lists.read(), re.M)}
    for word, name in (("all", "ON_KERNEL"), ("host", "ON_HOME"), ("$(HOST_BIN)", "ON_HOST_TESTS")):
        goals = {goal for goals, needs in rules for goal in goals.split() if word in needs.split()}
        assert goals and goals <= known[name], goals - known[name]


def test_what_an_object_stands_on(tmp_path, monkeypatch):
    """As make reads it: rules over several lines, headers that are gone, a source with nothing known about it."""
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(("old.c", "old.h", "obj/old.c.o", "new.h")):
        os.makedirs("obj", exist_ok=True)
        with open(name, "w", encoding="ascii"):
            os.utime(name, ns=(number * 1000, number * 1000))

    def count(text, others=""):
        to_compile.changed.cache_clear()
        if text is not None:
            (tmp_path / "obj" / "old.c.d").write_text(text)
        return to_compile.count([f"{others}: obj/old.c.o", ""])

    assert count(None) == 0 and count(None, "new.h") == 1 and count(None, "always") == 1
    assert count("obj/old.c.o: old.c \\\n old.h\nold.h:\n") == 0
    assert count("obj/old.c.o: old.c \\\n new.h\nnew.h:\n") == 1
    assert count("obj/old.c.o: old.c gone.h\ngone.h:\n") == 1
    os.unlink("obj/old.c.o")
    assert count("obj/old.c.o: old.c\n") == 1
