# SPDX-License-Identifier: MIT
"""The grader itself: what it takes for a result, what an answer in words may be, and who means ill or is clumsy.
What it says of answers is asked in test_labs.py."""

import glob
import os
import re
import subprocess
import sys

import pytest

import hf_make
from hf_config import ROOT

sys.path.insert(0, os.path.join(ROOT, "tests", "tools"))
import grade  # noqa: E402
import lab  # noqa: E402
import labs  # noqa: E402
import submission  # noqa: E402

FOURTH = labs.lab(4)


def test_output_that_only_looks_like_a_result():
    """A line that the answer's own code prints is no result: what must be there once is there twice."""
    check = labs.Check("c", 1, "", "selftest a.b", None, [], None, [])
    real = "KTAP version 1\n1..1\nok 1 a.b\n# 1 passed, 0 failed, 0 skipped\n"
    assert grade.judge_selftest(check, 0, real)[0]
    for fake in ("ok 1 a.b\n" + real, "# 1 passed, 0 failed, 0 skipped\n" + real, real.replace("ok 1", "not ok 1"), ""):
        assert not grade.judge_selftest(check, 0, fake)[0], fake
    assert not grade.judge_selftest(check, None, real)[0], "it did not come to its end"


def test_cases_of_a_host_test():
    """Those that were asked for, each in a process of its own, and no others: one that is not there is not passed."""
    check = labs.Check("c", 1, "", "host test_x one two", None, [], None, [])
    real = "[       OK ] one\n[       OK ] two\n"
    assert grade.judge_host(check, 0, real)[0] and not grade.judge_host(check, 1, real)[0]
    for fake in ("", real + real, real.replace("two", "three"), real.replace("OK ] one", "FAILED ] one")):
        assert not grade.judge_host(check, 0, fake)[0], fake
    hf_make.make("build/host/test_boot_ranges")
    line = "host test_boot_ranges empty_ranges_vanish"
    status, output = grade.host(ROOT, line)
    assert grade.judge_host(check._replace(run=line), status, output)[0] and output.count("RUN") == 1, output
    line += " no_such_case"
    assert not grade.judge_host(check._replace(run=line), *grade.host(ROOT, line))[0]


# ---- who means ill, or is clumsy --------------------------------------------------------------

def judged(kind, output, status=0, **more):
    """What a judge says of an output."""
    check = labs.Check("c", 1, "", f"{kind} a.b", None, [], more.get("atmost"), [])
    return grade.JUDGES[kind](check, status, output)[0]


def test_verdicts_that_the_answer_prints():
    """In front of the real one, which then does not begin its line; a row that is none; a status of failure."""
    assert judged("race", "race A-1 lifetime=x: safe\n") and not judged("race", "race A-1 lifetime=x: safe\n", 1)
    assert not judged("race", "race A-1: safe\nand race A-1 lifetime=x: BROKEN I1 gone\n")
    order = "explore a.b lifetime=x model=sc strategy=dpor: complete, 5 executions, 3 outcomes, "
    assert judged("explore", order + "safe\n")
    assert not judged("explore", order + "safe\nand " + order + "BROKEN I5 gone\n")
    assert not judged("selftest", "ok 1 a.b\n# 1 passed, 0 failed, 0 skipped\nand not ok 1 a.b\n")
    row = '{"bench": "a.b", "value": 9, "unit": "insns"}\n'
    assert judged("bench", row, atmost=9) and not judged("bench", row, atmost=8)
    for fake in (row + row, row + row.replace("9", "99"), row + '{"bench"\n', row.replace("9", '"9"'), row.replace("a.b", "c"),
                 '{"bench": [], "value": 1}\n', '{"bench": "a.b"}', "and " + row + row):
        assert not judged("bench", fake, atmost=9), fake


# ---- answers in words -------------------------------------------------------------------------

@pytest.mark.parametrize("value,line", [
    ("1 0", "1 reference(s), 0 mapping(s)"), ("1 reference, 0 mappings", "state 0x1: 1 reference(s), 0 mapping(s)"), ("2/1", "count 2 to 1;"),
    ("broken i1", "race C-2: BROKEN I1 gone"), ("a locked entry", "| a locked | | |\n | | entry | |"), ("4", "  4 | stops")])
def test_an_answer_in_another_form(value, line):
    """Numbers with anything between them, letters of any size, words that a column of a race has broken."""
    assert re.search(grade.as_pattern(value), line, re.I), grade.as_pattern(value)


@pytest.mark.parametrize("value,line", [
    ("1 0", "1 reference(s), 10 mapping(s)"), ("0 1", "1 reference(s), 0 mapping(s)"), ("1", "BROKEN I1, 10, 0x1a"), (".*", "safe"),
    ("safe|BROKEN", "safe"), ("I1", "I12"), ("(safe", "safe")])
def test_an_answer_is_no_pattern(value, line):
    """Nothing that would match whatever the machine says, and no half of a number or a word."""
    assert not re.search(grade.as_pattern(value), line, re.I), grade.as_pattern(value)


def asked(monkeypatch, check, values, output, status=0):
    """The outcome of an `ask` of a machine that prints this; value: it, and the lines that were played."""
    lines = []
    monkeypatch.setattr(grade, "play", lambda root, line, drawn: (lines.append(line), (status, output))[1])
    return grade.asked("", labs.check({"name": "c", "points": 3, "asks": "?", **check}), values), lines


ASK = {"run": "ask race {which}", "expect": ["^race .*: {how}$", "I1|safe"],
       "because": [{"when": "how: safe", "says": "It is not."}, {"when": "^race D", "says": "Another race."}]}


def test_the_machine_is_asked(monkeypatch):
    """Answers stand in the line and in what must be seen; all patterns count; a status of failure is a verdict like any other."""
    one, lines = asked(monkeypatch, ASK, {"which": "C-2", "how": "BROKEN I1"}, "race C-2: BROKEN I1\n", 5)
    assert one.points == 3 and lines == ["race C-2"], one
    one, _ = asked(monkeypatch, ASK, {"which": "C-2", "how": "safe"}, "race C-2: BROKEN I1\n", 5)
    assert not one.points and one.text[-1] == "=> It is not." and "BROKEN" not in "".join(one.text), one
    one, _ = asked(monkeypatch, ASK, {"which": "D-1", "how": "BROKEN I5"}, "race D-1: BROKEN I5\n", 5)
    assert not one.points and one.text[-1] == "=> Another race.", one
    one, _ = asked(monkeypatch, ASK, {"which": "C-2", "how": "BROKEN I1"}, "race C-2: BROKEN I1\n", None)
    assert not one.points, "the machine stopped"


@pytest.mark.parametrize("values,sentence", [
    ({"which": "C-2"}, "no answer to 'how' yet"), ({}, "no answer to 'which' yet"), ({"which": "C-2; poweroff", "how": "x"}, "is not one word"),
    ({"which": "$(x)", "how": "x"}, "is not one word"), ({"which": "", "how": "x"}, "is not one word")])
def test_what_cannot_be_asked(monkeypatch, values, sentence):
    """Nothing is played for it: no answer, or one that would be more than a word of the line."""
    one, lines = asked(monkeypatch, ASK, values, "")
    assert not one.points and sentence in one.text[-1] and not lines, one


@pytest.mark.parametrize("form,whole,half", [
    ("verdict", ["safe", "BROKEN I1", "hung i4: and so on"], ["BROKEN", "HUNG", "BROKEN I", "safe or not", "I1"]),
    ("pair", ["1 0", "1 reference(s), 0 mapping(s)", "2/1"], ["1", "1 0 2", "one", "1 and"]), ("number", ["4"], ["4 or 5", "step 4", "x"])])
def test_half_an_answer_is_none(monkeypatch, form, whole, half):
    """It would be found in what the machine prints as well: it is told what is asked for, and nothing is played."""
    for value in whole + half:
        one, lines = asked(monkeypatch, {"run": "ask race C-2", "expect": "{how}|.", "form": form}, {"how": value}, "race C-2: safe\n")
        assert bool(one.points) == bool(lines) == (value in whole), value
        assert one.points or "=> how: what is asked for is" in one.text[-1]
    with pytest.raises(labs.Wrong, match="form is one of"):
        labs.check({"name": "c", "points": 3, "asks": "?", "run": "ask race C-2", "form": "word"})


def test_a_token_by_the_line_that_finds_it(monkeypatch):
    """`explore NAME lifetime=L` stands for the token of its finding."""
    one, lines = asked(monkeypatch, {"run": "ask replay {token}", "expect": "broken"}, {"token": "explore a.b lifetime=c-d"},
                       "broken\ntoken a.b:c-d:sc:a5b3\n")
    assert one.points and lines == ["explore a.b lifetime=c-d", "replay a.b:c-d:sc:a5b3"]
    one, _ = asked(monkeypatch, {"run": "ask replay {token}", "expect": "broken"}, {"token": "explore a.b"}, "safe\n")
    assert not one.points and "finds nothing" in one.text[-1]


def test_output_counts_between_two_words_that_nobody_knows():
    """A machine that ended before the second one has no status, whatever it printed."""
    ended = lambda text, why=None: submission.Ended(0, text, why)
    right = "boot\nf00d\n[status 0]\n> race A\nrace A: safe\n[status 0]\n> echo f00d\nf00d\n[status 0]\n"
    assert submission.between(ended(right), "f00d") == (0, "race A: safe\n")
    status, said = submission.between(ended(right.split("> echo")[0]), "f00d")
    assert status is None and "did not come to their end" in said and "f00d" not in said
    assert submission.between(ended(right, "it did not end within 1 s"), "f00d")[0] is None
    assert submission.between(ended(right.replace("> echo f00d\nf00d", "> echo f00d\nx f00d")), "f00d")[0] is None


@pytest.mark.parametrize("shell,clock,why", [
    ("while :; do :; done", 60, "CPU time"), ("trap '' XCPU; while :; do :; done", 60, "CPU time"),
    ("sleep 60", 1, "did not end within 1 s"), ("yes", 60, "printed more than 4 MiB"),
    ("sleep 60 & echo over", 60, None), ("exec >&- 2>&-; sleep 60", 60, "closed its output and did not end")])
def test_a_run_ends(monkeypatch, shell, clock, why):
    """What loops, waits, prints for ever or leaves something behind is ended, with a sentence."""
    monkeypatch.setattr(submission, "WAIT", 0.2)
    ended = submission.run(["sh", "-c", shell], 1, clock)
    assert (ended.why is None) if why is None else (why in ended.why and ended.status is None)
    assert len(ended.output) < 5 << 20


def test_a_run_has_little():
    """No variables of who grades, no core, not more memory or files than a machine needs; as root nobody's rights."""
    os.environ["SECRET_OF_THE_GRADER"] = "1"
    words = [*submission.apart(), "sh", "-c", "env; id -u; ulimit -c; ulimit -v; cat /proc/net/dev; pwd"]
    ended = submission.run(words, 10, space=submission.SPACE)
    lines = ended.output.split("\n")
    assert "SECRET" not in ended.output and "0" in lines and str(submission.SPACE >> 10) in lines and "/" in lines
    if os.geteuid() == 0 and "setpriv" in words:
        assert submission.NOBODY in lines
    if "unshare" in words:
        assert "eth" not in ended.output and "lo:" in ended.output


def test_the_home_plays_with_these_limits():
    """An explorer's scenario and the images of 17 GiB fit; the program need not be reached by its path."""
    hf_make.make("host")
    status, output = grade.play(ROOT, "explore gup.scan-one; selftest mm.busy-*")
    assert status == 0 and "safe" in output, output


@pytest.mark.parametrize("text,word", [
    ("#if 0\n", "'#'"), ("  %:define x y\n", "%:"), ('asm volatile("syscall");\n', "asm"), ('_Pragma("x")\n', "_Pragma"),
    ("/* a comment \\\n*/\\\n#undef x\n", "#"), ("}\nstatic int f(void)\n{\n", "braces"), ("{\n", "braces"), ("%>\n", "braces"),
    ("#pragma GCC diagnostic ignored \"-Wall\"\n", "'#'"),
    ("#pragma GCC unroll 8\nfor (;;)\n", None), ("/* never ended\n", None), ('x = "}#asm"; /* } asm */ // } #if\n', None), ("if (a) {\n\tb();\n} else {\n}\n", None)])
def test_regions_that_reach_further(text, word):
    """Directives, assembly and braces of others are refused by name; words in comments and strings are not."""
    why = labs.refused(text)
    assert (why is None) if word is None else (why and word in why)


def test_what_is_handed_in_is_right():
    """No right or wrong answer of any lab, and no stub, is refused."""
    for one in labs.every():
        texts = [labs.answer(path)[0] for path in glob.glob(os.path.join(ROOT, "tests", "labs", f"{one.number:02}", "*.c"))]
        for text in [*texts, {r.name: r.stub for r in one.regions}, labs.answers_of(ROOT, one)]:
            assert [labs.refused(part) for part in text.values()] == [None] * len(text)


def handed_in(folder, change):
    """A submission: the files of a lab's regions only, changed; value: (answers, notes)."""
    which, notes = FOURTH, []
    for region in which.regions:
        there = folder / region.file
        there.parent.mkdir(parents=True, exist_ok=True)
        with open(os.path.join(ROOT, region.file), "rb") as source:
            there.write_bytes(source.read())
    change(folder / which.regions[0].file, b"/* LAB %02d %s:" % (which.number, which.regions[0].name.encode()))
    return labs.answers_of(str(folder), which, notes), " ".join(notes)


def edit(old, new):
    """A change of a file's bytes, from the mark of the lab's first region on."""
    def change(path, mark):
        before, text = path.read_bytes().split(mark, 1)
        path.write_bytes(before + (mark + text).replace(old or mark, new, 1))
    return change


def elsewhere(path, mark):
    """The file is a link to the product, where the answer stands."""
    path.unlink()
    path.symlink_to(os.path.join(ROOT, FOURTH.regions[0].file))


def behind_a_link(path, mark):
    """A folder above the file is a link to the product's."""
    grade.shutil.rmtree(path.parent)
    path.parent.symlink_to(os.path.join(ROOT, os.path.dirname(FOURTH.regions[0].file)))


def pipe(path, mark):
    """Who opens it waits for ever."""
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("change,sentence", [
    (edit(b"/* END */", b""), "END"), (edit(b"", b"/* LAB:"), "is there 0 time(s)"),
    (lambda path, mark: path.write_bytes(path.read_bytes() * 2), "is there 2 time(s)"),
    (edit(b"/* END */", b"#if 0\n/* END */"), "'#' reaches beyond"), (edit(b"/* END */", b"}\n/* END */"), "braces do not match"),
    (elsewhere, "symbolic link"), (behind_a_link, "or lies behind one"), (pipe, "not a file"), (lambda path, mark: path.unlink(), "No such file"),
    (lambda path, mark: path.write_bytes(b"\0" * (2 << 20)), "not a file of at most 1 MiB")])
def test_a_submission_that_cannot_be_taken(tmp_path, change, sentence):
    """It is told and left out, so that the stub stands there; other regions are not touched by it in other files."""
    answers, note = handed_in(tmp_path, change)
    assert sentence in note and FOURTH.regions[0].name not in answers
    assert "graded as if nothing were written there" in note


def test_bytes_that_are_no_text(tmp_path):
    """Latin-1 in a comment, blanks behind a mark and a carriage return are nobody's fault."""
    answers, note = handed_in(tmp_path, edit(b"/* END */\n", b"/* f\xfcr */\n\t/* END */  \r\n"))
    assert not note
    assert answers[FOURTH.regions[0].name].encode(errors="surrogateescape").endswith(b"f\xfcr */\n")


def test_all_that_is_played_has_an_end(monkeypatch):
    """Twenty checks that never end are not waited for one by one: what comes too late is told so, and costs itself."""
    clock = iter(range(0, 10**6, grade.ALL // 2 + 1))
    monkeypatch.setattr(grade.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(grade, "compiled", lambda root, check, known, seen: grade.Outcome(check, check.points, ["it compiles"]))
    monkeypatch.setattr(grade, "outcome", lambda root, check, which: grade.Outcome(check, check.points, ["played"]))
    found = grade.grade("", FOURTH)
    assert [one.text for one in found[:2]] == [["it compiles"], ["played"]] and found[1].points
    assert all("not played" in one.text[0] and not one.points for one in found[2:])


def test_what_waits_is_no_failure(monkeypatch, capsys):
    """A check that was not played for another one's sake has a word and no points; what failed is told again behind all."""
    checks = [labs.Check(name, 2, f"Is {name} so?", run, None, [], None, needs)
              for name, run, needs in (("compiles", "build", []), ("a", "selftest a", []), ("b", "selftest b", ["a"]), ("c", "selftest c", []))]
    monkeypatch.setattr(grade, "compiled", lambda root, check, known, seen: grade.Outcome(check, 2, ["it compiles"]))
    monkeypatch.setattr(grade, "outcome", lambda root, check, which: grade.Outcome(check, 2, ["1"]) if check.name == "c" else
                        grade.Outcome(check, 0, ["not ok 1 a", "=> It is not.", "replay: x"]))
    found = grade.grade("", FOURTH._replace(checks=checks), grade.tell)
    said = capsys.readouterr().out
    assert "FAIL  0/2  a: Is a so?" in said and "wait  0/2  b: Is b so?" in said and "ok    2/2  c: " in said, said
    assert said.count("FAIL") == 1 and grade.points(found) == (4, 8)
    assert grade.summary(found) == ["what failed, once more; 1 more wait for these:", "FAIL a: => It is not."]
    assert not grade.summary([found[0], found[3]])


def test_a_panic_keeps_its_reason():
    """Of a long report the begin is shown; of another output the end."""
    trace = "".join(f"  frame {n}\n" for n in range(40))
    shown = grade.said("> selftest a\n" + "x\n" * 40 + "PANIC: expected: held\n  rule:  the reason\n  found: at a.c:1\nbacktrace:\n" + trace)
    assert shown[:4] == ["  … 40 lines before these", "  x", "  PANIC: expected: held", "    rule:  the reason"], shown
    assert len(shown) == 14 and shown[-1] == "  … 33 lines behind these", shown
    assert len(grade.said(trace)) == 13 and grade.said(trace)[0] == "  … 28 lines before these" and grade.said(trace)[-1] == "    frame 39"
    assert len(grade.said("a\nPANIC: b\n")) == 2
    assert grade.reason(grade.Outcome(FOURTH.checks[0], 0, shown)) == "PANIC: expected: held"


def test_a_long_order_says_what_is_left_out():
    """The verdict and the threads' names stand above what is shown of an order, and how much is not shown between."""
    head = "explore a.b lifetime=x model=sc strategy=dpor: ended, 5 executions, 3 outcomes, depth 9, BROKEN I5 it is gone\n      store    break\n"
    steps = "".join(f"   {n} load\n" for n in range(90))
    shown = grade.order("> explore a.b\n" + head + steps + "token a.b:x:sc:1\n")
    assert "BROKEN I5" in shown[0] and "store    break" in shown[1] and shown[2] == "  … 41 lines before these"
    assert len(shown) == 53 and shown[3] == "     41 load" and shown[-1] == "  token a.b:x:sc:1", shown
    assert grade.order(head + "  1 load\n")[-1] == "    1 load" and len(grade.order(head + "  1 load\n")) == 3
    assert grade.order("it panicked\n") == ["  it panicked"]


def test_a_first_build_is_told(monkeypatch, capsys):
    """`make lab` and `make grade` say that it takes minutes where nothing is built; a build says at which file it is."""
    monkeypatch.setattr(lab, "make", lambda number, folder: FOURTH)
    for built in (False, True):
        monkeypatch.setattr(lab, "is_built", lambda root, built=built: built)
        monkeypatch.setattr(lab, "behind", lambda root: (0, 408))
        assert lab.main(["lab.py", "4", "/nowhere"]) == 0
        said = capsys.readouterr().out
        assert ("`make host` here before" in said) is not built and "leave what other labs ask for" in said
        assert ("that takes minutes" in lab.first_build("")) is not built
    monkeypatch.setattr(lab, "behind", lambda root: (400, 408))
    assert "400 of 408 files since they are newer" in lab.first_build("")
    monkeypatch.undo()
    assert not lab.is_built("/nowhere") and lab.behind("/") == (0, 0)
    seen = []
    submission.run(["sh", "-c", "echo '  CC      [ 8/10] a.c'; echo '  NASM    [ 9/10] b.c'; printf '  CC  [10/'"], 10,
                   seen=lambda got: seen.append(grade.files_in(got)))
    assert seen[-1] == "compiles: file 9 of 10" and grade.files_in(b"  LD      x\n") == ""


def test_a_build_older_than_its_sources_is_told(tmp_path):
    """`make lab` says how much of what goes along will be compiled again: sources changed, or their headers, since."""
    objects = tmp_path / "build" / "home" / "obj" / "x"
    for folder in (objects, tmp_path / "x", tmp_path / "build" / "host"):
        folder.mkdir(parents=True)
    for name in ("x/a.c", "x/b.c", "x/b.h", "build/host/holdfast", "build/home/obj/x/a.c.o", "build/home/obj/x/b.c.o"):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (1000, 1000))
    (objects / "b.c.d").write_text("b.c.o: x/b.c \\\n x/b.h\n")
    assert lab.behind(str(tmp_path)) == (0, 2) and lab.built(str(tmp_path)) == ""
    os.utime(tmp_path / "x" / "b.h", (2000, 2000))
    assert lab.behind(str(tmp_path)) == (1, 2) and "1 of 2 files" in lab.built(str(tmp_path))
    os.utime(tmp_path / "x" / "a.c", (2000, 2000))
    assert lab.behind(str(tmp_path)) == (2, 2) and "`make host` here before" in lab.built(str(tmp_path))


@pytest.mark.parametrize("words,sentence", [
    (["99"], "there is no such lab"), ([""], "which lab?"), (["4", "--json", "/nowhere/x.json"], "No such file"),
    (["4", "--from", "/nowhere"], "no folder"), (["4", "--json", "/"], "Is a directory")])
def test_grade_is_asked_wrongly(capsys, monkeypatch, words, sentence):
    """Told before anything is built, and not with the status of a result."""
    monkeypatch.setattr(grade, "grade", lambda *_: pytest.fail("it was graded"))
    assert grade.main(["grade.py", *words]) == 2
    assert sentence in capsys.readouterr().err


def test_an_interrupt_is_no_traceback(capsys, monkeypatch, tmp_path):
    """^C in the middle: a line, the status of an interrupt, and no half of a tree."""
    def interrupted(*_, **__):
        raise KeyboardInterrupt
    monkeypatch.setattr(grade, "graded", interrupted)
    assert grade.main(["grade.py", "4"]) == 130
    monkeypatch.setattr(lab, "stub", interrupted)
    monkeypatch.setattr(lab, "BUILT", ())
    assert lab.main(["lab.py", "4", str(tmp_path / "tree")]) == 130 and not list(tmp_path.iterdir())
    said = capsys.readouterr().err
    assert said == "grade: interrupted; there are no marks\nlab: interrupted; nothing is left of the tree\n"


def test_a_full_disk(capsys, monkeypatch, tmp_path):
    """Costs no marks: the build failed, and nothing was graded. A tree that does not fit is told in a line, and gone."""
    monkeypatch.setattr(grade, "build", lambda *_, **__: "ld: final link failed: No space left on device")
    assert grade.compiled(ROOT, FOURTH.checks[0], None).points == 0, "there is room, so it is the answer that is wrong"
    monkeypatch.setattr(grade, "ROOM", 1 << 80)
    result = tmp_path / "results.json"
    assert grade.main(["grade.py", "4", "--json", str(result)]) == 2
    assert "no room left on the disk" in grade.json.loads(result.read_text())["output"]
    copier = tmp_path / "cp"
    copier.write_text("#!/bin/sh\necho \"cp: error writing 'x': No space left on device\" >&2; exit 1\n")
    copier.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert lab.main(["lab.py", "4", str(tmp_path / "tree")]) == 2 and not (tmp_path / "tree").exists()
    said = capsys.readouterr().err
    assert "grade: there is no room" in said and "lab: what is built could not be copied: cp: error writing" in said, said


def test_what_does_not_compile_has_a_reason():
    """The compiler's line, or the linker's; make's own last words say nothing."""
    text = ["  ld: final link failed: bad value", "  make: *** [Makefile:1: x] Error 1", "  make: Leaving directory '/x'"]
    assert grade.reason(grade.Outcome(FOURTH.checks[0], 0, text)) == "ld: final link failed: bad value"


def test_nothing_to_grade_is_a_result_too(tmp_path, capsys):
    """A folder without any region: zero, and why, where Gradescope reads it; longer results before it are gone."""
    result = tmp_path / "results.json"
    result.write_text("x" * 10000)
    assert grade.main(["grade.py", "4", "--from", str(tmp_path), "--json", str(result)]) == 2
    assert "nothing in" in capsys.readouterr().err
    found = grade.json.loads(result.read_text())
    assert found["score"] == 0 and found["output"].count("No such file") == 1 and "as if" not in found["output"]


def test_a_tree_that_forgot_its_lab(tmp_path):
    """labs/THIS may be missing or hold anything."""
    (tmp_path / "labs").mkdir()
    with pytest.raises(labs.Wrong, match="which lab"):
        grade.number_of("", str(tmp_path))
    (tmp_path / "labs" / "THIS").write_bytes(b"\xff\xfe")
    with pytest.raises(labs.Wrong, match="no such lab"):
        labs.lab(grade.number_of("", str(tmp_path)))


def test_two_grades_of_one_tree(tmp_path):
    """The second one says that it waits, and begins when the first one has ended."""
    second = f"import grade\nwith grade.alone({str(tmp_path)!r}):\n    print('begins', flush=True)"
    env = {**os.environ, "PYTHONPATH": os.path.dirname(grade.__file__)}
    with grade.alone(str(tmp_path)):
        # pylint: disable-next=consider-using-with
        child = subprocess.Popen([sys.executable, "-c", second], env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert "waiting for its end" in child.stderr.readline()
        assert child.poll() is None
    assert child.communicate(timeout=60)[0] == "begins\n"
