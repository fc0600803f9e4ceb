#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What students get: `make handout TERM=2027s [LAB=4] [DIR=…] [STUDENTS=FILE]`.

    handout.py TERM DIR LAB STUDENTS      any of the last three may be empty

DIR/tree is the course without its answers: in every region of every lab stands its stub. Not there: history, what is
built, the answers and hidden checks of tests/labs, the product's own tests and this tool, and what races are expected
to do: their sources, the table of scenarios, the verdicts in labels of the museum and in docs/weaknesses.md. With LAB
it is the tree of that lab, whose `make grade` needs no number.

A stub alone would leave every later lab without what it stands on. So the objects of the files that hold regions,
and of the races, go along (labs/handout): a file in which nothing was written yet is linked from its object, one
that was changed is compiled, and `make grade LAB=n` compiles that lab's files always. An object is no source; who
takes it apart sees machine code.

STUDENTS, a file with one name a line: DIR/students/NAME has what is that student's alone: VARIANT, for labs/ of his
tree, and bug/holdfast, the program in which he has to find the bug.
"""

import hashlib
import os
import re
import shutil
import sys

import bug
import explore_home
import lab
import labs
import variant

OBJECTS = os.path.join("labs", "handout")
RACES = re.compile(r"tests/kernel/race/(race_\w+|matrix_table)\.c$")
# Not there, besides what lab.py leaves out: the product's tests, what judges races, and what the instructor has.
OURS = re.compile(r"(tests/qemu/(test_\w+|conftest)\.py|tests/(peer|systems|explore/browser|explore/peer)/.*|findings/.*|"
                  r"tests/explore/scenarios/(expected|faults)\.txt|docs/teaching\.md|docs/mutants\.md|"
                  r"tests/tools/(bug|class_page|grade_all|handout|museum|mutants\w*|explore_table)\.(py|txt)|tests/tools/grade_job\.sh)$")
LABEL = "a bug of the museum"
VERDICT = re.compile(r"^(\| [A-G]-\d+ \| `lifetime=[a-z-]+` \| `race \S+` \|) \S+ I\d \|$", re.M)
RULE = """
ifeq ($(filter {file},$(WRITTEN))$(shell sha256sum <{file} 2>/dev/null | cut -c1-64),{sum})
COPIED += {objects}
{objects}: $(BASE)/%.o: {folder}/%.o FORCE
\t@[ -d $(@D) ] || mkdir -p $(@D); cmp -s $< $@ || cp $< $@; touch $@.solved
else
$(shell cd $(BASE) 2>/dev/null && for o in {names}; do [ ! -e $$o.solved ] || rm -f $$o $$o.solved; done)
endif
"""
MISSING = """
COPIED += {objects}
{objects}: $(BASE)/%.o: {folder}/%.o
\t@[ -d $(@D) ] || mkdir -p $(@D); cp $< $@
"""


def without(text, path):
    """A source or a page without what tells the end of a race or a bug."""
    if path.endswith(".c"):
        return bug.DEFINED.sub(lambda m: m[0].replace(m[3], "\n" * m[3].count("\n") + f'\t"{LABEL}"'), text)
    return VERDICT.sub(r"\1 |", text) if path.endswith("docs/weaknesses.md") else text


def blank(folder):
    """Takes verdicts out, and leaves the files' times as they were."""
    for at, _, names in os.walk(folder):
        for path in (os.path.join(at, name) for name in names if name.endswith(".c") or name == "weaknesses.md"):
            with open(path, encoding="utf-8") as file:
                text = file.read()
            new, when = without(text, path), os.stat(path)
            if new != text:
                with open(path, "w", encoding="utf-8") as file:
                    file.write(new)
                os.utime(path, ns=(when.st_atime_ns, when.st_mtime_ns))


def objects_of(path, root):
    """The objects of a source, below build/: of the kernel, and of the process."""
    return [name for name in (f"obj/{path}.o", f"home/obj/{path}.o") if os.path.exists(os.path.join(root, "build", name))]


def add_objects(folder, files, races, root):
    """labs/handout: the objects, and what make does with them."""
    text = "# SPDX-License-Identifier: MIT\n# Made by `make handout`: what is linked from its object, and when.\n"
    text += f"HANDOUT_SRC := {' '.join(races)}\nHANDOUT_OBJ := {' '.join(f'$(BASE)/obj/{race}.o' for race in races)}\n"
    for path in [*files, *races]:
        names = objects_of(path, root)
        if not names:
            raise labs.Wrong(f"{path} is not built here: `make all host` comes first")
        for name in names:
            there = os.path.join(folder, OBJECTS, name)
            os.makedirs(os.path.dirname(there), exist_ok=True)
            shutil.copy(os.path.join(root, "build", name), there)
        known = hashlib.sha256()
        if path in files:
            with open(os.path.join(folder, path), "rb") as source:
                known.update(source.read())
        text += (RULE if path in files else MISSING).format(
            file=path, sum=known.hexdigest(), folder=OBJECTS, names=" ".join(names), objects=" ".join(f"$(BASE)/{name}" for name in names))
    with open(os.path.join(folder, OBJECTS, "solved.mk"), "w", encoding="utf-8") as rules:
        rules.write(text)


def tree(folder, number, root=labs.ROOT):
    """The tree without answers."""
    some = labs.every(root)
    names = [name for name in lab.sources(root) if not OURS.fullmatch(name)]
    races = sorted(name for name in names if RACES.search(name))
    for name in set(names) - set(races):
        there = os.path.join(folder, name)
        os.makedirs(os.path.dirname(there), exist_ok=True)
        shutil.copy2(os.path.join(root, name), there, follow_symlinks=False)
    lab.stub(folder, some)
    blank(folder)
    add_objects(folder, sorted({region.file for one in some for region in one.regions if region.file.endswith(".c")}), races, root)
    if number:
        with open(os.path.join(folder, "labs", "THIS"), "w", encoding="utf-8") as this:
            this.write(f"{labs.lab(number, root).number}\n")


def students(folder, term, listed, root=labs.ROOT):
    """What is each student's alone; value: how many there are."""
    with open(os.path.expanduser(listed), encoding="utf-8", errors="replace") as file:
        names = [line.strip() for line in file if line.strip() and not line.startswith("#")]
    wrong = [ascii(name[:80])[1:-1] for name in names if os.sep in name or name.startswith(".") or names.count(name) > 1 or
             not name.isprintable() or "\ufffd" in name or len(name) > 80]
    if wrong or not names:
        raise labs.Wrong(f"{listed}: one name a line, each of them once, no path: {', '.join(wrong) or 'none is there'}")
    for name in names:
        own = os.path.join(folder, "students", name)
        os.makedirs(os.path.join(own, "bug"))
        os.makedirs(os.path.join(own, "labs"))
        variant.write(own, variant.values(term, name))
        bug.plant(os.path.join(root, "build", "host", "holdfast"), bug.of(term, name, root).name, os.path.join(own, "bug", "holdfast"), root)
    return len(names)


def shared(root):
    """[(file, labs)] of the files in which more than one lab has a region: there a student's own work on one is with him
    in the other."""
    found = {}
    for one in labs.every(root):
        for region in one.regions:
            found.setdefault(region.file, set()).add(one.number)
    return [(path, sorted(numbers)) for path, numbers in sorted(found.items()) if len(numbers) > 1]


def main(argv):
    """Makes it, and says what is where."""
    try:
        term, folder, number, listed = argv[1:]
        if not re.fullmatch(r"[\w.-]{1,64}", term):
            raise labs.Wrong("TERM is missing: make handout TERM=2027s; letters, digits, '-', '_' and '.'")
        folder = os.path.abspath(os.path.expanduser(folder or os.path.join(labs.ROOT, "build", "handout", term)))
        if os.path.exists(folder) and os.listdir(folder):
            raise labs.Wrong(f"{folder} is there and not empty: nothing was changed; choose another DIR, or remove it")
        try:
            tree(os.path.join(folder, "tree"), number)
            count = students(folder, term, listed) if listed else 0
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    except (labs.Wrong, OSError) as err:
        print(f"handout: {labs.cause(err)}", file=sys.stderr)
        return 2
    print(f"{folder}/tree: for everybody" + (f"\n{folder}/students: {count}, each with what is theirs alone" if count else ""))
    for path, numbers in shared(labs.ROOT):
        print(f"note: {path} holds regions of labs {', '.join(map(str, numbers))}: who writes one has the others' stubs there")
    return 0


if __name__ == "__main__":
    explore_home.end_with("handout", lambda words: main(["", *words]), "nothing is left of it")
