# SPDX-License-Identifier: MIT
"""The labs, graded: stubs compile and do not pass, the product passes, so does a different right answer, and
a wrong one that was foreseen fails with the sentence that names the misunderstanding.

The answers are in tests/labs/NN: right-*.c and wrong-*.c; the comment of a wrong one quotes a part of the
sentence. `make test` plays of each lab the stubs and one wrong answer, `make test-labs` all of them."""

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

LABS = labs.every()
ALL = os.environ.get("ALL_LABS") == "1"


def answers(which):
    """The files of a lab's answers: all, or the first wrong one."""
    found = sorted(glob.glob(os.path.join(ROOT, "tests", "labs", f"{which.number:02}", "*.c")))
    return found if ALL else [path for path in found if "wrong-" in path][:1]


CASES = [pytest.param(one, path, marks=pytest.mark.xdist_group(f"lab {one.number}"),
                      id=f"{one.number}-{os.path.basename(path)[:-2] if path else 'stub'}")
         for one in LABS for path in ["", *answers(one)]]


@pytest.fixture(scope="module")
def trees():
    """Number of a lab -> a tree of it, made once; hf_make's lock is held while what is built is copied."""
    made = {}

    def tree(which):
        if which.number not in made:
            hf_make.make("host")
            folder = os.path.join(BUILD, "labs", f"{which.number:02}")
            grade.shutil.rmtree(folder, ignore_errors=True)
            with open(os.path.join(BUILD, "locks", "make"), "w", encoding="utf-8") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                lab.make(which.number, folder)
            made[which.number] = folder
        return made[which.number]

    yield tree
    for folder in made.values():
        grade.shutil.rmtree(folder, ignore_errors=True)


def graded(tree, which, text):
    """The outcomes of an answer; `bench` is left out, which would need the kernel, but in test-labs."""
    labs.rewrite(tree, which, text)
    some = which if ALL else which._replace(checks=[c for c in which.checks if not c.run.startswith("bench")])
    return grade.grade(tree, some)


def told(outcomes):
    """What was said about each check that has not all points."""
    return "\n".join(f"{one.check.name}: " + "\n".join(one.text) for one in outcomes
                     if one.points < one.check.points)


@pytest.mark.parametrize("which,path", CASES)
def test_an_answer(trees, which, path):
    """Stubs compile and do not pass; right answers have all points; wrong ones have not, and are told why."""
    text, comment = labs.answer(path) if path else ({r.name: r.stub for r in which.regions}, "")
    outcomes = graded(trees(which), which, {**labs.answers_of(ROOT, which), **text})
    reached, most = grade.points(outcomes)
    assert outcomes[0].check.run == "build" and outcomes[0].points, outcomes[0].text
    if "right-" in path:
        assert reached == most, told(outcomes)
        return
    assert reached < most, "an answer that is not right has all points"
    if path:
        sentence = re.search(r'"([^"]+)"', comment)[1]
        assert sentence in told(outcomes), told(outcomes)


@pytest.mark.parametrize("which", LABS, ids=lambda one: str(one.number))
def test_the_product_passes(which):
    """What stands in the tree is a right answer."""
    hf_make.make("host")
    outcomes = grade.grade(ROOT, which._replace(checks=[c for c in which.checks if c.run.split()[0] not in ("build", "bench")]))
    assert grade.points(outcomes)[0] == grade.points(outcomes)[1], told(outcomes)


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


def test_output_that_only_looks_like_a_result():
    """A line that the answer's own code prints is no result: what must be there once is there twice."""
    check = labs.Check("c", 1, "", "selftest a.b", None, [], None, [])
    real = "KTAP version 1\n1..1\nok 1 a.b\n# 1 passed, 0 failed, 0 skipped\n"
    assert grade.judge_selftest(check, 0, real)[0]
    for fake in ("ok 1 a.b\n" + real, "# 1 passed, 0 failed, 0 skipped\n" + real, real.replace("ok 1", "not ok 1"), ""):
        assert not grade.judge_selftest(check, 0, fake)[0], fake
    assert not grade.judge_selftest(check, None, real)[0], "it did not come to its end"
