# SPDX-License-Identifier: MIT
"""`quiz`: right answers are right because the machine does what they say, and what is no answer is told so."""

import os
import re
import sys

import pytest

import hf_make
from hf_config import ROOT
from hf_machine import Machine, run_commands

sys.path.insert(0, os.path.join(ROOT, "tests", "tools"))
from book_blocks import chapters, home_text  # noqa: E402

# The answers, as a reader gives them. The kernel has none of them: it asks itself.
RIGHT = {
    1: "2 0x100000 2", 2: "32 128 0", 3: "9 0 BROKEN", 4: "3 BROKEN safe", 5: "HUNG 1 HUNG", 6: "BROKEN I1 EAGAIN",
    7: "safe BROKEN I1", 8: "512 I6 BROKEN", 9: "45000 BROKEN HUNG", 10: "2M 3 BROKEN", 11: "safe BROKEN HUNG",
    12: "8 safe I7", 13: "BROKEN safe I1", 14: "BROKEN 0 I5",
}
WITHOUT = {10: "2 of 3 are right, 1 could not be checked"}  # the process has no IOMMU


@pytest.fixture(scope="module")
def home():
    hf_make.make("host")


def answers_of(text):
    """{command: (what it printed, status)} of the quizzes in a run."""
    return {line: (said, int(status)) for line, said, status in
            re.findall(r"(?ms)^> (quiz[^\n]*)\n(.*?)^\[status (\d+)\]$", text)}


def test_every_chapter_has_its_questions(home):
    """All are listed; each asks three, and says how to answer."""
    assert sorted(RIGHT) == [chapter.number for chapter in chapters()]
    found = answers_of(home_text(["quiz", *[f"quiz {n}" for n in RIGHT]]))
    assert found["quiz"][0].count("docs/book/") == len(RIGHT)
    for number in RIGHT:
        said, status = found[f"quiz {number}"]
        assert status == 0 and re.findall(r"(?m)^(\d)\. .{20,}\((?:a number|[\w ]+)\)$", said) == ["1", "2", "3"], said
        assert f"`quiz {number} ANSWER ANSWER ANSWER` checks them" in said


@pytest.mark.parametrize("number", RIGHT)
def test_right_answers_in_the_process(home, number):
    """Each answer is compared with a line that the machine prints; afterwards nothing is left switched on."""
    text = home_text([f"quiz {number} {RIGHT[number]}", "museum", "mount", "check", "map"])
    said, status = answers_of(text)[f"quiz {number} {RIGHT[number]}"]
    assert WITHOUT.get(number, "3 of 3 are right\n") in said, said
    assert status == (19 if number in WITHOUT else 0)
    assert len(re.findall(r"(?m)^\d\. \S+ is right: `.+` says$", said)) == (2 if number in WITHOUT else 3), said
    assert "nothing is mounted" in text and not re.search(r"(?m)^\S+ +on  ", text), text


def test_wrong_answers(home):
    """A wrong answer gets a hint and no solution; one that is passed by is not right either."""
    wrong = {3: "12 1 safe", 7: "BROKEN safe I3", 13: "safe BROKEN I5"}
    found = answers_of(home_text([f"quiz {n} {words}" for n, words in wrong.items()] + ["quiz 6 - I1 -"]))
    for number, words in wrong.items():
        said, status = found[f"quiz {number} {words}"]
        assert status == 5 and said.count(" is wrong: ") == 3 and "0 of 3 are right" in said, said
        hints = said[:said.index("0 of 3 are right")]
        solutions = set(RIGHT[number].split()) - set(words.split())
        assert not [word for word in solutions if re.search(rf"\b{word}\b", hints)], said
    said, status = found["quiz 6 - I1 -"]
    assert status == 5 and said.count("passed by") == 2 and "1 of 3 are right" in said, said


@pytest.mark.parametrize("line,sentence", [
    ("quiz 0", "there is no chapter 0: the book has 1 to 14"), ("quiz 15", "there is no chapter 15"),
    ("quiz x", "CHAPTER 'x' is not a number"), ("quiz 4294967297", "there is no chapter 4294967297"),
    ("quiz 2 32", "a chapter has 3 questions, and 1 answer was given"),
    ("quiz 2 32 128 0 1", "4 answers were given"), ("quiz 2 32 128 zero", "answer 3 'zero' is not a number"),
    ("quiz 6 maybe I1 EAGAIN", "answer 1 is 'maybe', and may be one of: safe BROKEN HUNG"),
    ("quiz 6 BROKEN I8 EAGAIN", "answer 2 is 'I8'"), ("quiz 6 '' I1 EAGAIN", "answer 1 is ''")])
def test_what_is_no_answer(home, line, sentence):
    """It is told what is wrong, before the machine is asked anything."""
    said, status = answers_of(home_text([line]))[line]
    assert status == 22 and sentence in said and "right" not in said, said


def test_the_museum_is_as_it_was(home):
    """Switches that are on do not change what is right, and are on afterwards."""
    text = home_text(["museum skip-wake on", f"quiz 6 {RIGHT[6]}", "museum skip-wake"])
    assert "3 of 3 are right" in text and len(re.findall(r"(?m)^skip-wake +on ", text)) == 2, text


def test_in_the_machine(tmp_path):
    """The same answers under QEMU, those about the IOMMU too."""
    lines = [f"quiz {number} {words}" for number, words in RIGHT.items()]
    result = run_commands("; ".join([*lines, "check"]), tmp_path, TIMEOUT="300")
    wrong = [c.output for c in result.commands if c.status != 0]
    assert not wrong and result.status == 0, "\n".join(wrong) or result.text[-2000:]
    assert all("3 of 3 are right" in result.command(line).output for line in lines)


def test_asked_at_the_prompt(tmp_path):
    """Without answers somebody is asked: one question after the other, what is no answer once more; Ctrl-C ends
    it; TAB knows the chapters; what is refused there ends with a word about `why`."""
    with Machine(tmp_path) as m:
        m.send("quiz 2")
        m.expect(r"1\. How many bytes")
        m.expect("answer> ")
        m.send("lots")
        m.expect("answer 1 'lots' is not a number")
        m.expect("answer> ")
        m.send("0x20")
        m.expect("1. 0x20 is right")
        m.expect("answer> ")
        m.send("129")
        m.expect("2. 129 is wrong: ")
        m.expect("answer> ")
        m.send("-")
        m.expect("1 of 3 are right")
        m.expect("holdfast> ")
        m.send("quiz 3")
        m.expect("answer> ")
        m.type("\x03")
        m.expect(r"\[status 4\]")
        m.expect("holdfast> ")
        m.type("quiz 1\t\t")
        m.expect("10 +11 +12 +13 +14")
        m.type("\x15")
        assert "(`why` says more)" in m.ask("touch m9")
        assert "(`why` says more)" not in m.ask("touch")
        assert "chapter 3, " in m.ask("why")
