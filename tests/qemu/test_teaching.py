# SPDX-License-Identifier: MIT
"""What an instructor hands out: a course without answers, checks that nobody sees, a bug for each student.

`make test` plays what needs no compiler; `make test-labs` builds a handout and works in it."""

import glob
import json
import os
import re
import shutil
import subprocess
import sys

import pytest

import hf_make
from hf_config import BUILD, ROOT

sys.path.insert(0, os.path.join(ROOT, "tests", "tools"))
import bug  # noqa: E402
import grade  # noqa: E402
import handout  # noqa: E402
import lab  # noqa: E402
import labs  # noqa: E402
import submission  # noqa: E402
import variant  # noqa: E402

ALL = os.environ.get("ALL_LABS") == "1"
FULL = pytest.mark.skipif(not ALL, reason="it compiles: make test-labs")
LABS = labs.every()
HIDDEN = [one for one in LABS if labs.hidden(one)]
CLEAN = os.path.join(BUILD, "host", "holdfast")
PLANTS, BAND = bug.table()


pytestmark = pytest.mark.xdist_group("teaching")  # one worker makes the handout, and the programs with bugs


# ---- the handout ------------------------------------------------------------------------------

@pytest.fixture(scope="module", name="course")
def a_handout(tmp_path_factory):
    """A whole handout for three."""
    hf_make.make("all", "host")
    where = tmp_path_factory.mktemp("handout")
    (where / "names").write_text("ada\n# a comment\nben\n\ncleo\n")
    assert handout.main(["", "2027s", str(where / "out"), "", str(where / "names")]) == 0
    return where / "out"


# Regions whose lines stand in another design, too, which is read for that.
SAME_ELSEWHERE = {"6 look"}
READING = {f"{one.number} {region.name}" for one in LABS for region in one.regions if region.file.endswith(".txt")}


def flat(text):
    """Text whose blanks do not matter."""
    return " ".join(text.split())


def pieces(text):
    """Its lines, and each two that follow one another."""
    lines = [flat(line) for line in text.splitlines() if line.strip()]
    return [line for line in [*lines, *(" ".join(pair) for pair in zip(lines, lines[1:]))] if len(line) > 20]


def solution_lines():
    """{a line of a region, or two, that stand nowhere else in the product nor in a stub: the region}"""
    regions, rest, stubs = {}, {}, flat(" ".join(r.stub for one in LABS for r in one.regions))
    for path in lab.sources(ROOT):
        if path.endswith((".c", ".h")) or path.startswith("labs/"):
            rest[path] = labs.source_text(ROOT, path)
    for one in LABS:
        for region in one.regions:
            inside = labs.inside(labs.source_text(ROOT, region.file), one.number, region.name)
            rest[region.file] = rest[region.file].replace(inside, "")
            regions.update((piece, f"{one.number} {region.name}") for piece in pieces(inside))
    elsewhere = flat(" ".join(rest.values()))
    return {piece: where for piece, where in regions.items() if piece not in stubs and piece not in elsewhere}


def test_a_handout_has_no_answers(course):
    """No line of any region's solution, in any file; no history, no answers, no hidden checks, no races' ends."""
    tree, lines = course / "tree", solution_lines()
    own = set(lines.values()) | SAME_ELSEWHERE
    assert own == {f"{one.number} {region.name}" for one in LABS for region in one.regions}, "a region has no line of its own"
    for path in tree.rglob("*"):
        if path.is_file():
            text = flat(path.read_text(encoding="utf-8", errors="replace"))
            # What races come to is told in the pages that are to be read.
            found = {line: where for line, where in lines.items() if line in text and
                     not (where in READING and path.is_relative_to(tree / "docs"))}
            assert not found, f"{path}: {found}"
            if path.suffix in (".c", ".h", ".toml", ".py"):
                assert "BROKEN I" not in text or path.suffix != ".c" or "tests/kernel" in str(path), path
    for name in (".git", "build", "tests/labs", "tests/explore/scenarios/expected.txt", "tests/kernel/race/race_d.c",
                 "tests/kernel/race/matrix_table.c", "tests/tools/bug.py", "docs/teaching.md"):
        assert not (tree / name).exists(), name
    assert not glob.glob(str(tree / "**" / "hidden.toml"), recursive=True)
    for one in LABS:
        for region in one.regions:
            assert labs.inside(labs.source_text(str(tree), region.file), one.number, region.name).strip() == region.stub.strip()


def test_every_student_has_something_of_their_own(course):
    """A machine's values, which their tree may know; a program with one bug, which does not say which."""
    hf_make.make("host")
    programs = set()
    for name in ("ada", "ben", "cleo"):
        own = course / "students" / name
        assert variant.read(str(own)) == {key: variant.values("2027s", name)[key] for key in variant.PLAIN}
        programs.add((own / "bug" / "holdfast").read_bytes())
        listed = bug.said(str(own / "bug" / "holdfast"), "museum")
        assert len(re.findall(rf" off +{handout.LABEL}$", listed, re.M)) > 100 and not re.search(r"^\S+ +on ", listed, re.M)
    assert len(programs) == len({bug.of("2027s", name).name for name in ("ada", "ben", "cleo")})


@pytest.mark.parametrize("words,sentence", [
    (["", "", "", ""], "TERM is missing"), (["a b", "", "", ""], "TERM is missing"), (["2027s", "{0}", "", ""], "is there and not empty"),
    (["2027s", "{0}/new", "99", ""], "LAB=99: there is no such lab"), (["2027s", "{0}/new", "", "{0}/names"], "each of them once, no path: ../x"),
    (["2027s", "{0}/new", "", "{0}/bytes"], "no path: \\x00\\ufffd")])
def test_a_handout_is_asked_wrongly(tmp_path, capsys, words, sentence):
    """It is told, and nothing is left."""
    (tmp_path / "names").write_text("ada\n../x\n")
    (tmp_path / "bytes").write_bytes(b"ada\n\0\xff\n")
    assert handout.main(["", *(word.format(tmp_path) for word in words)]) == 2
    assert sentence in capsys.readouterr().err and not (tmp_path / "new").exists()


@FULL
def test_a_handout_is_worked_in(course):
    """What nobody wrote in is linked from its object, so that the machine is whole; the lab's own files are compiled."""
    tree, which = str(course / "tree"), labs.lab(4)
    with open(os.path.join(BUILD, "locks", "make"), "w", encoding="utf-8") as lock:
        grade.fcntl.flock(lock, grade.fcntl.LOCK_EX)
        os.makedirs(os.path.join(tree, "build"))
        subprocess.run(["cp", "-a", *(os.path.join(BUILD, name) for name in lab.BUILT if os.path.exists(os.path.join(BUILD, name))),
                        os.path.join(tree, "build")], check=True)
    for path in glob.glob(os.path.join(tree, "build", "obj", "tests", "kernel", "race", "*.d")):
        os.unlink(path)
    assert grade.build(tree, "host") is None
    status, said = grade.play(tree, "selftest gup.fast-rechecks wait.*; race D-1")
    assert status == 0 and "race D-1 lifetime=busy-extent: safe" in said
    some = which._replace(checks=[check for check in which.checks if not check.run.startswith("bench")])
    stub, most = grade.points(grade.grade(tree, some))
    assert stub < most / 2  # without bench, which others would wait for
    labs.rewrite(tree, which, labs.answers_of(ROOT, which))
    assert grade.points(grade.grade(tree, some)) == (most, most)


# ---- what differs from student to student ------------------------------------------------------

def test_the_same_student_has_the_same_values():
    """Drawn from the term and the name alone; another term, another name, other values; all within their bounds."""
    assert variant.values("a", "x") == variant.values("a", "x") != variant.values("b", "x")
    drawn = [variant.values("2027s", f"student{n}") for n in range(300)]
    assert len({json.dumps(one) for one in drawn}) == 300
    for one in drawn:
        assert one["offset"] + (40 << 12) < one["pmem0"] << 20 and one["pmem1"] << 20 <= submission.FILES - (256 << 20)
    assert {one["cpus"] for one in drawn} == {2, 3, 4}
    assert variant.read("/nowhere") == {} and variant.machine({})[:3] == ["-n", "2", "-p"]


@pytest.mark.parametrize("text", ["cpus = 9999999\n", "cpus = \"2; true\"\n", "\xff", "cpus = [1]\n", "other = 1\n"])
def test_values_that_somebody_wrote(tmp_path, text):
    """What a tree says of itself is not believed."""
    (tmp_path / "labs").mkdir()
    (tmp_path / "labs" / "VARIANT").write_text(text, encoding="latin-1")
    assert variant.read(str(tmp_path)) == {}


@pytest.mark.parametrize("which", HIDDEN, ids=lambda one: str(one.number))
def test_hidden_checks(which):
    """The product passes them, with every student's machine, places and dice; all have as many points."""
    hf_make.make("host")
    hidden = labs.hidden(which)
    assert all(one.hidden for one in hidden)
    for name in [f"s{n}" for n in range(8 if ALL else 1)]:
        drawn, word = variant.values("2027s", name), variant.who("2027s", name)
        for one in hidden:
            asked = variant.fill(one, drawn, word)
            assert not re.search(r"\{\w+\}", asked.run), asked.run
            kind = asked.run.split()[0]
            if kind in labs.IN_QEMU and not ALL:
                continue
            if kind == "ask":
                found = grade.asked(ROOT, asked, labs.values(ROOT, which))
                assert found.points, (name, asked.run, found.text)
                continue
            if kind == "host":
                hf_make.make(f"build/host/{asked.run.split()[1]}")
                output = grade.host(ROOT, asked.run)
            elif kind in labs.IN_QEMU:
                output = grade.kernel(ROOT, asked.run.removeprefix("kernel "))
            else:
                output = grade.submission.between(submission.home(CLEAN, [*variant.machine(drawn), "-c",
                                                                          f"echo 0af; {asked.run.removeprefix('shell ')}; echo 0af"], 60), "0af")
            good, text = grade.JUDGES[kind](asked, *output)
            assert good, (name, asked.run, text)


def outcomes(tree, which, drawn, word):
    """What a student's hidden checks come to in a tree, each one played."""
    filled = [variant.fill(one, drawn, word) for one in labs.hidden(which)]
    return [grade.asked(tree, one, labs.values(tree, which)) if one.run.startswith("ask ") else grade.outcome(tree, one)
            for one in filled]


def test_every_lab_has_hidden_checks():
    """Three or more; at least one kept wrong answer of a lab fails one of them, as its comment says."""
    assert HIDDEN == LABS
    for which in LABS:
        names = {one.name for one in labs.hidden(which)}
        kept = glob.glob(os.path.join(ROOT, "tests", "labs", f"{which.number:02}", "wrong-*.c"))
        said = {name for path in kept for name in re.findall(r'hidden "([^"]+)"', labs.answer(path)[1])}
        assert len(names) >= 3 and said and said <= names, (which.number, said - names)


@FULL
@pytest.mark.parametrize("which", HIDDEN, ids=lambda one: str(one.number))
def test_hidden_checks_are_alike(which):
    """A wrong answer has as many of the hidden points with one student's dice as with another's, but for one check."""
    path = next(path for path in sorted(glob.glob(os.path.join(ROOT, "tests", "labs", f"{which.number:02}", "wrong-*.c"))))
    answers = {**labs.answers_of(ROOT, which), **labs.answer(path)[0]}
    hf_make.make("host")
    with grade.tree_with(which, answers, ROOT) as (tree, _):
        assert grade.build(tree, "host") is None
        reached = []
        for name in (f"s{n}" for n in range(6)):
            drawn, word = variant.values("2027s", name), variant.who("2027s", name)
            variant.write(tree, drawn)
            reached.append(sum(one.points for one in outcomes(tree, which, drawn, word)))
    assert max(reached) - min(reached) <= max(one.points for one in labs.hidden(which)), reached


def test_hidden_checks_fail_too():
    """Another place, another count, a command that fails."""
    check = labs.hidden(labs.lab(2))[0]._replace(expect="^pfn 0x10 .*1 mapping")
    assert grade.judge_shell(check, 0, "pfn 0x10 is there\n[status 0]\n> x\n pfn\n")[0] is False
    assert grade.judge_shell(check, 0, "pfn 0x10 with 1 mapping\n[status 5]\n> x\n")[0] is False
    assert grade.judge_shell(check, 5, "pfn 0x10 with 1 mapping\n")[0] is False
    assert grade.judge_shell(check, 0, "pfn 0x10 with 1 mapping\n")[0] is True


def test_a_race_in_the_lines_that_were_written():
    """Two plain accesses that nothing orders break no rule of a scenario, and cost the check: of a line in a region, or of one that
    the region's lines call without a lock."""
    listed = ("  race: a store in raced+0x27 kernel/sync/wait.c:145\n        and a load in seen+0x16 mm/page/page.c:7, in no order\n"
              "explore a.b lifetime=- model=sc strategy=dpor: complete, 2 executions, 1 outcomes, depth 2, safe\n")
    own_race = grade.judge.own_race
    told = own_race(listed, [("kernel/sync/wait.c", 146, 150), ("mm/page/page.c", 1, 6), ("sync/wait.c", 145, 145)])
    assert "with your lines a store in raced(), kernel/sync/wait.c:145 races with a load in seen(), mm/page/page.c:7, as it does not" in told
    assert own_race("explore a.b: complete, safe\n", [("kernel/sync/wait.c", 146, 150)]) is None
    assert "your plain store at kernel/sync/wait.c:145 races with somebody else's: a load in seen(), mm/page/page.c:7" in own_race(listed, [("kernel/sync/wait.c", 145, 145)])
    assert "your plain load at mm/page/page.c:7" in own_race(listed, [("mm/page/page.c", 7, 9)])
    mixed = listed.replace("and a load", "and an atomic load")
    assert own_race(mixed, [("mm/page/page.c", 7, 9)]) is None, "what is atomic is not to blame"
    told = own_race(mixed, [("kernel/sync/wait.c", 145, 145)])
    assert "somebody else's: an atomic load in seen(), mm/page/page.c:7. Who looks without a lock is ordered by none" in told
    for which in LABS:
        for file, first, last in labs.lines(ROOT, which):
            with open(os.path.join(ROOT, file), encoding="utf-8") as source:
                text = source.read().split("\n")
            assert f"LAB {which.number:02} " in text[first - 2] and "END */" in text[last], (file, first, last)


def test_answers_are_read(tmp_path):
    """The last line of a name counts, a question mark is none, blanks and other lines do not matter."""
    (tmp_path / "labs").mkdir()
    (tmp_path / "labs" / "a.txt").write_text("/* LAB 13 answers: x */\nSay: no\na: 1\n  a:  2 3 \r\nb: ?\nc-d: x\n/* END */\ne: 4\n")
    which = labs.Lab(13, "", "", [labs.Region("answers", "labs/a.txt", ""), labs.Region("code", "code.c", "")], [])
    assert labs.values(str(tmp_path), which) == {"a": "2 3", "c-d": "x"}


# ---- find the bug -----------------------------------------------------------------------------

@pytest.fixture(scope="module", name="planted")
def the_programs(tmp_path_factory):
    """{name of a bug: (program, what its exploration prints)}"""
    hf_make.make("host")
    folder = tmp_path_factory.mktemp("planted")
    folder.chmod(0o755)
    made = {}
    for one in PLANTS:
        path = str(folder / one.name)
        bug.plant(CLEAN, one.name, path)
        made[one.name] = path, bug.said(path, one.command)
    return made


@pytest.mark.parametrize("one", PLANTS, ids=lambda one: one.name)
def test_bugs_are_alike(planted, one, tmp_path):
    """Executions to the first finding and steps of the order shown are within the bands; its token has all points, the
    same as any other's; the museum's switches do not touch it."""
    program, said = planted[one.name]
    found = bug.cost(program, f"museum {one.name} off; museum all off; {one.command}")
    assert found == bug.cost(program, one.command), "it is not the same a second time"
    for value, name in zip(found, ("executions", "steps")):
        assert BAND[name][0] <= value <= BAND[name][1]
    named = sorted(bug.functions(one.name))
    assert named, "no function looks at its switch"
    (tmp_path / "bug.toml").write_text(f'token = "{grade.TOKEN.search(said)[1]}"\nfunction = "{named[0]}()"\n')
    assert [reached for _, reached, _ in bug.judge(one.name, str(tmp_path), CLEAN, program)] == [50, 30, 20]


@pytest.mark.parametrize("token,function,points,idea", [
    ("{0}", "nobody", 80, "where the harm shows"), ("{0}x", "{1}", 0, "harmless"), ("", "{1}", 0, "no token"),
    ("file.put-truncate:unaware:sc:a1; museum all off", "{1}", 0, "no token"), ("{2}", "{1}", 70, "in the product as well")])
def test_tokens_that_show_nothing(planted, tmp_path, token, function, points, idea):
    """Another function, no token, an order that breaks without the bug too: each is told as what it is."""
    one = PLANTS[0]
    program, said = planted[one.name]
    weak = grade.TOKEN.search(bug.said(CLEAN, "explore file.put-truncate lifetime=unaware"))[1]
    words = (grade.TOKEN.search(said)[1], sorted(bug.functions(one.name))[0], weak)
    (tmp_path / "bug.toml").write_text(f'token = "{token.format(*words)}"\nfunction = "{function.format(*words)}"\n')
    rows = bug.judge(one.name, str(tmp_path), CLEAN, program)
    told = [line for check, reached, text in rows for line in grade.explained(check, reached, [text]).text]
    assert sum(reached for _, reached, _ in rows) == points and any(idea in line for line in told), told


# ---- the page ---------------------------------------------------------------------------------

def test_the_page_for_instructors():
    """docs/teaching.md: its targets are the Makefile's, its figures the table's, its files are there."""
    with open(os.path.join(ROOT, "docs", "teaching.md"), encoding="utf-8") as file:
        page = file.read()
    with open(os.path.join(ROOT, "Makefile"), encoding="utf-8") as file:
        targets = set(re.findall(r"^([a-z][a-z-]*(?: [a-z-]+)*):", file.read(), re.M))
    known = {name for line in targets for name in line.split()}
    asked = set(re.findall(r"\bmake ([a-z][a-z-]*)", page))
    assert asked <= known | {"sure"} and {"handout", "grade-all", "grade-pages", "lab", "grade", "test-labs"} <= asked, asked - known
    for number, what in ((len(PLANTS), "bugs"), (BAND["executions"][1], "executions"), (BAND["steps"][0], "to"), (BAND["steps"][1], "steps")):
        assert f"{number} {what}" in page, f"{number} {what}"
    for name in re.findall(r"`((?:tests|labs|docs)/[\w./-]+)`", page):
        assert "NN" in name or name in ("labs/VARIANT", "labs/handout") or os.path.exists(os.path.join(ROOT, name)), name
    for name in variant.values("t", "s"):
        assert f"`{{{name}}}`" in page, name
