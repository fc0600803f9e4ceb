#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""`make lab LAB=4 DIR=~/lab4`: a tree to work in, with stubs where that lab's answers stand.

    lab.py NUMBER DIR
    lab.py --tables         writes the tables of checks into the pages of the labs

Everything else is the product. What is built here already goes along, so that a first `make grade`
there compiles what differs. Not in the tree: the answers of the grader's own tests (tests/labs).
"""

import contextlib
import os
import re
import shutil
import subprocess
import sys

import labs
from enough import until_enough
import to_compile

# What a build needs and has made already; whatever is missing is made there.
BUILT = ("config.mk", "toolchain", "newlib", "newlib-host", "home", "host", "obj", "objects", "efi",
         *(f"scratch_{size}.asm{end}" for size in ("tiny", "small", "large", "huge") for end in ("", ".o")))
NOT_THERE = {"build", ".git", ".ci", "__pycache__", os.path.join("tests", "labs")}


def belongs(name):
    """Does a file, or a folder above it, go along?"""
    parts = name.split(os.sep)
    return not NOT_THERE & {*parts, *(os.path.join(*parts[:n]) for n in range(1, len(parts)))}


def sources(root):
    """The files of the tree: what git lists, or all that there are."""
    listed = subprocess.run(["git", "-C", root, "ls-files", "-z", "-co", "--exclude-standard"],
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    if listed.returncode == 0 and os.path.exists(os.path.join(root, ".git")):
        names = [name for name in listed.stdout.decode().split("\0") if name]
    else:
        names = [os.path.relpath(os.path.join(at, name), root) for at, _, files in os.walk(root) for name in files]
    return [name for name in names if belongs(name) and os.path.exists(os.path.join(root, name))]


def copy(root, folder):
    """The tree's files, with their times, so that make finds nothing to do; and what is built."""
    for name in sources(root):
        there = os.path.join(folder, name)
        os.makedirs(os.path.dirname(there), exist_ok=True)
        shutil.copy2(os.path.join(root, name), there, follow_symlinks=False)
    os.makedirs(os.path.join(folder, "build"), exist_ok=True)
    there = [os.path.join(root, "build", name) for name in BUILT if os.path.exists(os.path.join(root, "build", name))]
    done = subprocess.run(["cp", "-a", "--reflink=auto", *there, os.path.join(folder, "build")], stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True, errors="replace", check=False) if there else None
    if done and done.returncode:
        raise labs.Wrong(f"what is built could not be copied: {(done.stderr.strip() or 'cp says nothing').splitlines()[-1]}")


def is_built(root):
    """Is there a Holdfast as a Linux process, whose objects go along?"""
    return os.path.exists(os.path.join(root, "build", "host", "holdfast"))


def behind(root):
    """(how many objects of that process are older than what they are compiled from, how many there are)."""
    there = [os.path.relpath(os.path.join(at, name), root) for at, _, files in os.walk(os.path.join(root, "build", "home", "obj"))
             for name in files if name.endswith((".c.o", ".asm.o"))]  # and not what is linked of some
    with contextlib.chdir(root):
        to_compile.changed.cache_clear()
        return sum(to_compile.stale(one, []) for one in there), len(there)


def built(root):
    """What to know of what goes along: that it saves nothing, and how it would; empty if it does save."""
    if not is_built(root):
        return "nothing is built here yet, so the first `make grade` there compiles everything, for minutes. `make host` here before " \
            "`make lab` saves that"
    old, objects = behind(root)
    return f"what is built here is older than its sources in {old} of {objects} files, which the first `make grade` there compiles " \
        "again. `make host` here before `make lab` saves that" if old else ""


def first_build(root):
    """What to know of a build that makes everything, behind "Building first"; empty, if this one does not."""
    if not is_built(root):
        return ", all of it since nothing is built here yet: that takes minutes, a later one seconds"
    old, objects = behind(root)
    return f", {old} of {objects} files since they are newer than what was made of them, as in a copy that does not keep their times " \
        "('cp -a' does): that takes minutes, a later one seconds" if 2 * old > objects else ""


def stub(folder, some, files=None):
    """Puts the stubs of some labs into a tree; files: into these only."""
    for one in some:
        regions = [region for region in one.regions if files is None or region.file in files]
        labs.rewrite(folder, one._replace(regions=regions), {region.name: region.stub for region in regions})


def claim(folder):
    """The empty folder is ours from here on: of two that make a tree there at once only one can make the first folder in it."""
    os.makedirs(folder, exist_ok=True)
    try:
        os.mkdir(os.path.join(folder, "labs"))
    except FileExistsError as err:
        raise labs.Wrong(f"another one is just making a tree in {folder}: nothing was changed; choose another DIR") from err


def make(number, folder, root=labs.ROOT):
    """Makes the tree; value: the lab. Nothing is left of it if that fails."""
    which = labs.lab(number, root)
    if not folder:
        raise labs.Wrong("DIR is missing: make lab LAB=4 DIR=~/lab4")
    folder = os.path.abspath(os.path.expanduser(folder))
    if os.path.exists(folder) and (not os.path.isdir(folder) or os.listdir(folder)):
        raise labs.Wrong(f"{folder} is there and not empty: nothing was changed; choose another DIR")
    if folder.startswith(os.path.join(root, "")) and not folder.startswith(os.path.join(root, "build", "")):
        raise labs.Wrong(f"{folder} lies in the tree that it would be a copy of; choose a DIR outside")
    claim(folder)
    try:
        copy(root, folder)
        stub(folder, [which])
        with open(os.path.join(folder, "labs", "THIS"), "w", encoding="utf-8") as this:
            this.write(f"{which.number}\n")
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return which


def tables():
    """The table of each lab, where its page has it."""
    for which in labs.every():
        path = os.path.join(which.folder, "README.md")
        with open(path, encoding="utf-8") as page:
            text = re.sub(r"(?s)(<!-- checks -->\n).*?(<!-- end -->)",
                          lambda found: f"{found[1]}\n{labs.table(which)}\n\n{found[2]}", page.read())
        with open(path, "w", encoding="utf-8") as page:
            page.write(text)
    return 0


def main(argv):
    """Makes it and says where to begin."""
    if argv[1:] == ["--tables"]:
        return tables()
    if len(argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        which = make(argv[1], argv[2])
    except (labs.Wrong, OSError) as err:
        print(f"lab: {labs.cause(err)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("lab: interrupted; nothing is left of the tree", file=sys.stderr)
        return 130
    folder = os.path.abspath(os.path.expanduser(argv[2]))
    print(f"lab {which.number}, {which.title}: {folder}\n"
          f"read  {os.path.join('labs', os.path.basename(which.folder), 'README.md')}")
    for region in which.regions:
        print(f"write {region.file}, between /* LAB {which.number:02} {region.name}: … */ and /* END */")
    if not os.path.exists(os.path.join(labs.ROOT, "labs", "handout")):
        print("leave what other labs ask for, between marks of theirs: it stands there solved, and may be near to your answer")
    print("then  make grade")
    if built(labs.ROOT):
        print(f"note: {built(labs.ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(until_enough(main, sys.argv))
