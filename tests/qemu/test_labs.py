# SPDX-License-Identifier: MIT
"""The labs, graded: stubs compile and do not pass, the product passes, so does a different right answer, and
a wrong one that was foreseen fails with the sentence that names the misunderstanding.

The answers are in tests/labs/NN: right-*.c and wrong-*.c; the comment of a wrong one quotes a part of the
sentence, after "never" what is not to be told of it: a sentence that blames a part which is right, and after "hidden" which check
that no student sees fails as well. `make test` plays the stubs and
the product in each lab, and a wrong answer in every second one: most of it is 2 s of processor time for each answer that is compiled and
linked, and all of it is to stay below a tenth of `make test`. `make test-labs` plays all of them."""

import contextlib
import fcntl
import glob
import os
import re
import sys

import pytest

import hf_make
from hf_config import BUILD, ROOT

sys.path.insert(0, os.path.join(ROOT, "tests", "tools"))
import grade  # noqa: E402
import lab  # noqa: E402
import labs  # noqa: E402
import variant  # noqa: E402

LABS = labs.every()
ALL = os.environ.get("ALL_LABS") == "1"


def answers(which):
    """The files of a lab's answers: all, or of every second lab the first wrong one."""
    found = sorted(glob.glob(os.path.join(ROOT, "tests", "labs", f"{which.number:02}", "*.c")))
    return found if ALL else [path for path in found if "wrong-" in path][:which.number % 2]


CASES = [pytest.param(one, path, marks=pytest.mark.xdist_group(f"lab {one.number}"),
                      id=f"{one.number}-{os.path.basename(path)[:-2] if path else 'stub'}")
         for one in LABS for path in ["", *answers(one)]]


@pytest.fixture(scope="module")
def tree():
    """`tree(lab)`: a tree of the product, made once, for that lab's answers; what the lab before it left is the product's again.
    hf_make's lock is held while what is built is copied: half a gigabyte, so not for each lab."""
    folder, last = os.path.join(BUILD, "labs", os.environ.get("PYTEST_XDIST_WORKER", "alone")), []

    def of(which):
        if not last:
            hf_make.make("host")
            grade.shutil.rmtree(folder, ignore_errors=True)
            with open(os.path.join(BUILD, "locks", "make"), "w", encoding="utf-8") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                lab.make(which.number, folder)
        elif last[-1] != which:
            labs.rewrite(folder, last[-1], labs.answers_of(ROOT, last[-1]))
        last.append(which)
        return folder

    yield of
    grade.shutil.rmtree(folder, ignore_errors=True)


class Enough(Exception):
    """What was looked for has been told."""


def graded(root, which, text, enough=lambda outcomes: False):
    """The outcomes of an answer, so far as they are wanted; in test-labs with what needs the kernel, and with hidden checks."""
    labs.rewrite(root, which, text)
    drawn, word = variant.values("2027s", "s0"), variant.who("2027s", "s0")
    some = which._replace(checks=[*which.checks, *(variant.fill(one, drawn, word) for one in labs.hidden(which))] if ALL else
                          [c for c in which.checks if c.run.split()[0] not in labs.IN_QEMU])
    outcomes = []

    def tell(one):
        outcomes.append(one)
        if not ALL and enough(outcomes):
            raise Enough

    with contextlib.suppress(Enough):
        grade.grade(root, some, tell)
    return outcomes


def told(outcomes):
    """What was said about each check that has not all points."""
    return "\n".join(f"{one.check.name}: " + "\n".join(one.text) for one in outcomes
                     if one.points < one.check.points)


@pytest.mark.parametrize("which,path", CASES)
def test_an_answer(tree, which, path):
    """Stubs compile and do not pass; right answers have all points; wrong ones have not, and are told why.

    `make test` plays a stub up to its first failure, and a wrong answer up to the sentence, unless another one must not be told."""
    text, comment = labs.answer(path) if path else ({r.name: r.stub for r in which.regions}, "")
    sentence = re.search(r'"([^"]+)"', comment)[1] if "wrong-" in path else ""
    never = re.findall(r'never "([^"]+)"', comment)
    outcomes = graded(tree(which), which, {**labs.answers_of(ROOT, which), **text},
                      lambda some: not never and told(some) and sentence in told(some))
    reached, most = grade.points(outcomes)
    assert outcomes[0].check.run.split()[0] == "build" and outcomes[0].points, outcomes[0].text
    if "right-" in path:
        assert reached == most, told(outcomes)
        return
    assert reached < most, "an answer that is not right has all points"
    assert sentence in told(outcomes), told(outcomes)
    for other in never:
        assert other not in told(outcomes), told(outcomes)
    for name in re.findall(r'hidden "([^"]+)"', comment):
        assert not [one for one in outcomes if one.check.name == name and (one.points or one.waits)], told(outcomes)


@pytest.mark.parametrize("which", LABS, ids=lambda one: str(one.number))
def test_the_product_passes(which):
    """What stands in the tree is a right answer."""
    hf_make.make("host", *{f"build/host/{c.run.split()[1]}" for c in which.checks if c.run.startswith("host ")})
    outcomes = grade.grade(ROOT, which._replace(checks=[c for c in which.checks if c.run.split()[0] not in ("build", *labs.IN_QEMU)]))
    assert grade.points(outcomes)[0] == grade.points(outcomes)[1], told(outcomes)


def test_what_is_built_is_as_new_as_its_sources():
    """Behind `make host` nothing is said to be compiled again in a student's tree."""
    hf_make.make("host")
    old, objects = lab.behind(ROOT)
    assert old == 0 and objects > 300 and lab.built(ROOT) == ""


@pytest.mark.parametrize("which", LABS, ids=lambda one: str(one.number))
def test_the_page_says_what_is_checked(which):
    """README.md: the table of checks as checks.toml has them; what to do names each region and its file."""
    with open(os.path.join(which.folder, "README.md"), encoding="utf-8") as page:
        text = page.read()
    assert f"<!-- checks -->\n\n{labs.table(which)}\n\n<!-- end -->" in text, "run 'make labs-tables'"
    for region in which.regions:
        assert region.file in text and f"`{region.name}`" in text
    for part in ("## What there is to learn", "## What to do", "## Hints", "## What is checked", "## Reading"):
        assert part in text, part


@pytest.mark.parametrize("words,sentence", [
    (["99", "/tmp/x"], "LAB=99: there is no such lab; there are "), (["4", ""], "DIR is missing"),
    (["4", "{0}"], "is there and not empty"), (["four", "/tmp/x"], "LAB=four: there is no such lab"),
    (["4", os.path.join(ROOT, "mm", "new")], "choose a DIR outside")])
def test_wrong_words(tmp_path, capsys, words, sentence):
    """What cannot be is refused with what would do, and nothing was made."""
    (tmp_path / "something").write_text("of somebody")
    assert lab.main(["lab.py", *(word.format(tmp_path) for word in words)]) == 2
    assert sentence in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["something"] and not os.path.exists("/tmp/x")


def test_two_at_once(tmp_path, monkeypatch, capsys):
    """Both found the folder empty: one makes its tree there, the other one says so and leaves it alone."""
    (tmp_path / "labs").mkdir()
    monkeypatch.setattr(lab.os, "listdir", lambda _folder: [])
    assert lab.main(["lab.py", "4", str(tmp_path)]) == 2
    monkeypatch.undo()
    assert f"another one is just making a tree in {tmp_path}: nothing was changed" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["labs"] and not list((tmp_path / "labs").iterdir())
