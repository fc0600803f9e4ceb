# SPDX-License-Identifier: MIT
"""What an answer calls: nothing of the host's that the product does not call, and nothing of who judges it.

An answer is a part of the kernel whose self-tests judge it. So that it does not print verdicts, turn switches of
the museum or tell the explorer what to see, the names that its file wants are compared with those that the
product's file wants: a new one must not be defined by the judge. That holds for names only (submission.py).

And what races in it: the explorer lists two plain accesses that nothing orders, and breaks no rule by them.
"""

import collections
import glob
import os
import re
import subprocess

JUDGE = ("tests", "kernel/selftest", "kernel/console", "kernel/shell")
RACES = re.compile(r"^  race: an? ((?:atomic )?(?:load|store)) in (\S+?)\+0x\S+ (\S+):(\d+)\n"
                   r" +and an? ((?:atomic )?(?:load|store)) in (\S+?)\+0x\S+ (\S+):(\d+), in no order$", re.M)
KERNEL = os.path.join("build", "home", "kernel.o")
# wanted: {object of the tree: the names that the product's wants}; judges: what only the judge has.
Known = collections.namedtuple("Known", "wanted judges")


def nm(word, *paths):
    """The names of objects; those that are not there have none."""
    done = subprocess.run(["nm", "-g", word, *paths], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    return set(re.findall(r"^[0-9a-f ]*[A-Za-z] (\S+)$", done.stdout, re.M))


def undefined(path):
    """The names that an object wants of others."""
    return nm("--undefined-only", path)


def known(tree, which):
    """What the product's objects want, before anything is built; None of a tree that is not built."""
    objects = [KERNEL, *(os.path.join("build", "home", "obj", f"{region.file}.o") for region in which.regions)]
    if not os.path.exists(os.path.join(tree, KERNEL)):
        return None
    found = [path for folder in JUDGE for where in ("build/home/obj", "build/obj")
             for path in glob.glob(os.path.join(tree, where, folder, "**", "*.c.o"), recursive=True)]
    return Known({name: undefined(os.path.join(tree, name)) for name in objects}, nm("--defined-only", *found))


def wrong(tree, before):
    """What is wrong with the names of what was built, in a sentence; None: nothing."""
    for name, wanted in before.wanted.items() if before else ():
        more = undefined(os.path.join(tree, name)) - wanted
        if name == KERNEL and more:
            return f"it calls what Holdfast does not have: {', '.join(sorted(more))}"
        called = sorted(one for one in more & before.judges if not one.startswith("__"))  # the compiler's, for the explorer
        if name != KERNEL and called:
            return (f"it calls who judges it: {', '.join(called)}. What prints, tests or explores is no "
                    "business of an answer: take it out before you hand it in")
    return None


def own_race(output, own):
    """What is wrong about a race that the explorer lists: the first one with a line of the answer in it, else the first one of
    plain accesses, as the product has none in what is asked here; None: there is none. own: [(file, its first line in it, its
    last one)]."""
    def mine(file, line):
        return any(file == there and first <= int(line) <= last for there, first, last in own)

    elsewhere = None
    for one, in_one, file, line, other, in_other, far, far_line in RACES.findall(output):
        if not ("atomic" in one + other or elsewhere):
            elsewhere = f"a {one} in {in_one}(), {file}:{line} races with a {other} in {in_other}(), {far}:{far_line}"
        for here, by, kind, there in ((f"{file}:{line}", one, other, f"{other} in {in_other}(), {far}:{far_line}"),
                                      (f"{far}:{far_line}", other, one, f"{one} in {in_one}(), {file}:{line}")):
            if mine(*here.rsplit(":", 1)) and not by.startswith("atomic"):
                lock = "Who looks without a lock is ordered by none" if kind.startswith("atomic") else "Nothing orders the two"
                return f"No order of these broke a rule, but your plain {by} at {here} races with somebody else's: " \
                       f"{'an' if kind.startswith('atomic') else 'a'} {there}. {lock}, so the compiler may make anything of them: " \
                       f"{'' if kind.startswith('atomic') else 'take the lock, or '}access it by __atomic_*."
    return elsewhere and f"No order of these broke a rule, but with your lines {elsewhere}, as it does not without them. " \
                         "Nothing orders the two: which lock do those functions want to be held by who calls them?"
