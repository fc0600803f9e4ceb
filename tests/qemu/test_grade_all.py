# SPDX-License-Identifier: MIT
"""A class is graded: each submission apart from all others, in a jail, and costs only itself.

`make test` plays what needs no compiler; `make test-labs` compiles submissions that mean ill, beside one that is right."""

import csv
import glob
import html.parser
import json
import os
import re
import shutil
import socket
import subprocess
import sys

import pytest

import hf_make
from hf_config import BUILD, ROOT

sys.path.insert(0, os.path.join(ROOT, "tests", "tools"))
import bug  # noqa: E402
import class_page  # noqa: E402
import grade  # noqa: E402
import grade_all  # noqa: E402
import jail  # noqa: E402
import judge  # noqa: E402
import lab  # noqa: E402
import labs  # noqa: E402
import submission  # noqa: E402

FULL = pytest.mark.skipif(os.environ.get("ALL_LABS") != "1", reason="it compiles: make test-labs")
LABS = labs.every()
CLEAN = os.path.join(BUILD, "host", "holdfast")


def flat(text):
    """Text whose blanks do not matter."""
    return " ".join(text.split())


# ---- a class ----------------------------------------------------------------------------------

# What Gradescope documents for results.json: of the whole, and of each test ("Autograder Specifications").
VISIBLE = {"hidden", "after_due_date", "after_published", "visible"}
WHOLE = {"score": (int, float), "execution_time": (int, float), "output": str, "visibility": VISIBLE, "stdout_visibility": VISIBLE,
         "extra_data": dict, "tests": list, "leaderboard": list}
TEST = {"score": (int, float), "max_score": (int, float), "status": {"passed", "failed"}, "name": str, "number": str, "output": str,
        "tags": list, "visibility": VISIBLE, "extra_data": dict}


def conforms(value, schema):
    """Whether a value has nothing but what is documented, of the documented kinds."""
    return all(name in schema and (one in schema[name] if isinstance(schema[name], set) else isinstance(one, schema[name]))
               for name, one in value.items())


def results_are_documented(out):
    """Every results.json of a class, and there are some."""
    paths = glob.glob(os.path.join(out, "results", "*.json"))
    for path in paths:
        with open(path, encoding="utf-8") as file:
            text = json.load(file)
        assert conforms(text, WHOLE) and all(conforms(one, TEST) for one in text["tests"]), path
        assert "score" in text and all(0 <= one["score"] <= one["max_score"] for one in text["tests"])
    assert paths


def hand_in(folder, name, token, function):
    """A find-the-bug submission."""
    (folder / name).mkdir(parents=True)
    (folder / name / "bug.toml").write_text(f'token = "{token}"\nfunction = "{function}"\n')


@pytest.fixture(name="classroom")
def a_class(tmp_path):
    """Four who looked for their bug: one found it, one the place only, one hands in a pipe, one nothing that can be read."""
    hf_make.make("host")
    one = bug.of("2027s", "ada")
    bug.plant(CLEAN, one.name, str(tmp_path / "holdfast"))
    token = grade.TOKEN.search(bug.said(str(tmp_path / "holdfast"), one.command))[1]
    hand_in(tmp_path / "in", "ada", token, sorted(bug.functions(one.name))[0])
    hand_in(tmp_path / "in", "=ben<b>", "", "nobody")
    (tmp_path / "in" / "cleo").mkdir()
    os.mkfifo(tmp_path / "in" / "cleo" / "bug.toml")
    (tmp_path / "in" / "dan.toml").write_bytes(b"\xff\xfe = ")
    (tmp_path / "in" / "notes.txt").write_text("of the instructor")
    return tmp_path


def test_a_class_is_graded(classroom, capfd):
    """By GNU parallel: each has a result, what is wrong with one costs that one; a table, a page, Gradescope's files."""
    if not shutil.which("parallel"):
        pytest.skip("GNU parallel is not installed")
    out = classroom / "out"
    words = ["", "run", str(classroom / "in"), "bug", "--jobs", "2", "--term", "2027s", "--out", str(out)]
    assert grade_all.main(words) == 1  # two could not be graded
    assert "2 of 4 graded" in capfd.readouterr().out
    rows = {row["student"]: row for row in csv.DictReader(open(out / "results.csv", encoding="utf-8"))}
    assert rows["ada"]["score"] == "100" and rows["'=ben<b>"]["score"] == "0" and set(rows) == {"ada", "'=ben<b>", "cleo", "dan"}
    assert "not a file" in rows["cleo"]["state"] and "cannot be read" in rows["dan"]["state"]
    results_are_documented(out)
    page = (out / "class.html").read_text()
    assert "A token is what a finding of explore ends with" in page and "=ben&lt;b&gt;" in page and "<b>" not in page
    assert "notes.txt" in page and not re.search(r"https?://|<script|src=", page)
    before = {path: os.stat(path).st_mtime_ns for path in glob.glob(str(out / "results" / "*"))}
    (classroom / "in" / "dan.toml").write_text('token = ""\n')
    assert grade_all.main(words) == 1
    changed = [os.path.basename(path) for path in before if os.stat(path).st_mtime_ns != before[path]]
    assert changed == ["dan.json"], "what had a result was graded again, or what had changed was not"


def test_a_job_is_told_which(classroom):
    """The script's second word, or a Slurm array, or GNU parallel; a plan says the lines. Without any it is told."""
    out = str(classroom / "out")
    grade_all.plan(str(classroom / "in"), "bug", "2027s", out)
    for n, env in enumerate(({"SLURM_ARRAY_TASK_ID": "1", "SLURM_SUBMIT_DIR": ROOT}, {"PARALLEL_SEQ": "2", "PARALLEL_JOBSLOT": "1"}, {})):
        done = subprocess.run([grade_all.JOB, out], env={"PATH": os.environ["PATH"], **env}, text=True, capture_output=True, check=False)
        assert done.returncode == (2 if n == 2 else 0), done.stderr
    assert "which one?" in done.stderr and len(os.listdir(os.path.join(out, "results"))) == 2


@pytest.mark.parametrize("words,sentence", [
    (["run", "", ""], "make grade-all DIR="), (["run", "/nowhere", "4"], "is no folder"), (["run", "{0}", "99"], "no such lab"),
    (["run", "{0}", "4"], "holds no submission"), (["one", "{0}", "1"], "no folder of results"),
    (["pages", "{0}"], "no folder of results")])
def test_a_class_is_asked_wrongly(tmp_path, capsys, words, sentence):
    """Told, with status 2; nothing is made."""
    assert grade_all.main(["", *(word.format(tmp_path) for word in words)]) == 2
    assert sentence in capsys.readouterr().err and not os.listdir(tmp_path)


def as_region(text):
    """An answer of lab 4 as pieces."""
    return f"/* REGION fast-one */\n{text}\n"


def test_submissions_of_every_kind(tmp_path):
    """A tree, files of it, a patch against a lab's tree or a handout's, regions alone: the same answer."""
    which = labs.lab(4)
    right = labs.answers_of(ROOT, which)
    (tmp_path / "a.c").write_text("".join(f"/* REGION {name} */\n{text}" for name, text in right.items()))
    stubs, solved = tmp_path / "stubs", tmp_path / "solved"
    for folder, every in ((solved, None), (stubs / "one", [which]), (stubs / "all", LABS)):
        (folder / "mm/gup").mkdir(parents=True)
        shutil.copy(os.path.join(ROOT, "mm/gup/gup.c"), folder / "mm/gup/gup.c")
        if every:
            lab.stub(str(folder), every, ["mm/gup/gup.c"])
    for name, folder in (("b", stubs / "one"), ("c", stubs / "all")):
        done = subprocess.run(["diff", "-u", "mm/gup/gup.c", str(solved / "mm/gup/gup.c")], cwd=folder, text=True, capture_output=True, check=False)
        (tmp_path / f"{name}.patch").write_text(re.sub(r"^\+\+\+ \S+", "+++ b/mm/gup/gup.c", re.sub(r"^--- ", "--- a/", done.stdout, 1), 1, re.M))
    (tmp_path / "d.patch").write_text("--- a/../../x\n+++ b/../../x\n@@ -0,0 +1 @@\n+gone\n")
    flat_right = {name: flat(text) for name, text in right.items()}
    for path in (ROOT, str(solved), str(tmp_path / "a.c"), str(tmp_path / "b.patch"), str(tmp_path / "c.patch")):
        assert {name: flat(text) for name, text in grade_all.answers(path, which, []).items()} == flat_right, path
    for path, sentence in (("d.patch", "does not fit"), ("a.c", "symbolic link")):
        if path == "a.c":
            (tmp_path / "e.c").symlink_to(tmp_path / "a.c")
            path = "e.c"
        with pytest.raises(labs.Wrong, match=sentence):
            grade_all.answers(str(tmp_path / path), which, [])
    assert not (tmp_path.parent / "x").exists()


class Balance(html.parser.HTMLParser):
    """Every element that is opened is closed."""

    def __init__(self):
        super().__init__()
        self.open, self.wrong = [], []

    def handle_starttag(self, tag, attrs):
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def test_the_class_page():
    """Whatever names and outputs there are, it is HTML, and says who has which idea."""
    test = {"name": "c", "score": 0, "max_score": 2, "output": "</pre><script>x</script>", "status": "failed", "visibility": "visible"}
    text = {"score": 0, "output": "", "tests": [test], "extra_data": {"ideas": [["c", "a <sentence>"]], "wrong": None}}
    page = class_page.html("Lab & all", "t", [('a"><i>', text), ("b", text), ("none", None)], ["<left>"])
    seen = Balance()
    seen.feed(page)
    assert not seen.open and not seen.wrong and "<script" not in page and "<i>" not in page
    assert "<td class=n>2</td><td>a &lt;sentence&gt;</td>" in page and "no result yet" in page


# ---- who means ill ----------------------------------------------------------------------------

JAILED = pytest.mark.skipif(not jail.usable(), reason="; ".join(jail.missing()))


def jailed(shell, seconds=5, clock=10, **more):
    """What a program does in a jail."""
    return submission.run([*jail.words(**more), "sh", "-c", shell], seconds, clock, space=submission.SPACE)


@JAILED
def test_a_jail_ends_what_forks():
    """Processes are counted, and all of them end with it."""
    assert "Cannot fork" in jailed("for n in $(seq 100); do sleep 98765 & done").output
    jailed("f() { f | f & }; f; sleep 98765", clock=2)
    left = subprocess.run(["pgrep", "-f", "sleep 98765"], stdout=subprocess.PIPE, text=True, check=False)
    assert not left.stdout


@JAILED
def test_a_jail_keeps_its_own(tmp_path):
    """Not a file outside can be written or read, nobody else's process seen; what is written is gone with it."""
    (tmp_path / "other").mkdir(mode=0o777)
    (tmp_path / "other" / "answer.c").write_text("of somebody else")
    (tmp_path / "own").mkdir(mode=0o777)
    os.chmod(tmp_path / "own", 0o777)
    ended = jailed(f"cat {tmp_path}/other/answer.c; ls {tmp_path} {ROOT} /root /home /etc/passwd; for f in / /usr /dev /proc/sys/kernel /tmp; "
                   f"do echo x >$f/mark; done; echo x >{tmp_path}/own/mark; ls /proc | grep -c '^[0-9]'; kill -9 {os.getpid()}", write=[str(tmp_path / "own")])
    assert "of somebody else" not in ended.output and not ended.why
    assert os.listdir(tmp_path / "own") == ["mark"] and os.listdir(tmp_path / "other") == ["answer.c"]
    assert not os.path.exists("/tmp/mark") and not os.path.exists("/usr/mark")
    assert int(re.findall(r"^\d+$", ended.output, re.M)[-1]) < 8


@JAILED
def test_a_jail_has_no_network():
    """Nothing is reached: not the host's loopback either."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = f"import socket; s = socket.socket(); s.settimeout(2); print(s.connect_ex(('127.0.0.1', {server.getsockname()[1]})))"
        assert jailed(f'/usr/bin/python3 -c "{code}"').output.strip() != "0"


@JAILED
def test_a_jail_is_full_some_time(monkeypatch):
    """Its /tmp has an end, and memory has one, shared memory too."""
    monkeypatch.setattr(submission, "MEMORY", 96 << 20)
    assert "No space left" in jailed("dd if=/dev/zero of=/tmp/x bs=1M count=999", temporary=8 << 20).output
    code = "import mmap, time; m = mmap.mmap(-1, 1 << 28); [m.__setitem__(n, 1) for n in range(0, 1 << 28, 4096)]; time.sleep(30)"
    assert "memory at once" in submission.run([*jail.words(), "/usr/bin/python3", "-c", code], 60, 60, space=submission.SPACE).why


@JAILED
def test_what_hangs_costs_itself():
    """A loop by its CPU time, a sleep by the clock."""
    assert "CPU time" in jailed("while :; do :; done", 1, 30).why
    assert "did not end" in jailed("sleep 60", 5, 1).why


@JAILED
@pytest.mark.skipif(os.geteuid() != 0, reason="not root: a jail has the rights of its user")
def test_a_jail_has_a_user_of_its_own(monkeypatch):
    """Nobody's, without a capability, and another one in another slot."""
    monkeypatch.setenv("GRADE_SLOT", "0")
    first = jailed("id -u; grep CapBnd /proc/self/status").output.split()
    monkeypatch.setenv("GRADE_SLOT", "7")
    assert first[0] == str(jail.USERS) and first[-1] == "0" * 16 and jailed("id -u").output.strip() == str(jail.USERS + 7)


def test_what_is_missing_is_said(monkeypatch):
    """Where no jail can be made, the results say so, and what would help."""
    monkeypatch.setattr(jail, "usable", lambda: False)
    monkeypatch.setattr(jail, "works", lambda *words: words[0] != "bwrap")
    assert "bwrap cannot be run" in jail.missing()[0] and "bubblewrap" in jail.missing()[0]


# A system call without assembly: its instructions are data in a section of code.
CALL = r'''
	{
		static const unsigned char code[] __attribute__((section(".text.call,\"ax\",@progbits#"))) = {
			0x48, 0x89, 0xf8, 0x48, 0x89, 0xf7, 0x48, 0x89, 0xd6, 0x48, 0x89, 0xca, 0x0f, 0x05, 0xc3};
		long (*call)(long, const void *, long, long) = (long (*)(long, const void *, long, long))(unsigned long)code;
		static int once;
		(void)call;
		if (!once++) {
			BODY
		}
	}
	(void)page, (void)pages, (void)one_refused, (void)one_changed;
	goto other;
'''
ILL = {
    "forks": "for (;;) call(57, 0, 0, 0);",
    "hangs": "for (;;) ;",
    "sleeps": "for (;;) call(34, 0, 0, 0);",
    "writes-outside": 'call(2, "/usr/mark", 0102, 0666), call(2, "MARK/mark", 0102, 0666), call(83, "/tmp/mark", 0777, 0);',
    "opens-a-socket": "if (call(41, (void *)2, 1, 0) >= 0) call(231, (void *)3, 0, 0);",
    "fills-the-disk": 'static char many[1 << 20]; long fd = call(2, "/tmp/x", 0102, 0666); while (call(1, (void *)fd, (long)many, 1 << 20) > 0) ; call(231, 0, 0, 0);',
    "reads-another": 'static char got[99]; long fd = call(2, "MARK/in/zoe.c", 0, 0); long n = call(0, (void *)fd, (long)got, 99); if (n > 0) call(1, (void *)1, (long)got, n);',
    "prints-results": 'kprintf("ok 1 gup.fast-rechecks\\n");',
    "a-gigabyte": "static char many[1 << 30] = {1}; if (many[3]) for (;;) ;",
}


def test_what_an_answer_may_call(monkeypatch):
    """What the product calls, what the compiler puts in for the explorer, other functions of the kernel; not the judge."""
    objects = {"build/home/kernel.o": {"write"}, "build/home/obj/a.c.o": {"page_put", "kprintf"}}
    before = judge.Known(objects, {"kprintf", "museum_find", "__tsan_read4"})
    for path, more, sentence in (("build/home/obj/a.c.o", {"page_get", "__tsan_read4"}, None), ("build/home/obj/a.c.o", {"museum_find"}, "who judges it: museum_find"),
                                 ("build/home/kernel.o", {"fork"}, "does not have: fork")):
        monkeypatch.setattr(judge, "undefined", lambda name, path=path, more=more: objects[name[1:]] | (more if name[1:] == path else set()))
        assert (judge.wrong("/", before) or "None").startswith("it calls") is (sentence is not None)
        assert sentence is None or sentence in judge.wrong("/", before)
    assert judge.wrong("/", None) is None


@FULL
@JAILED
def test_who_means_ill_costs_only_himself(tmp_path):
    """Beside each of them one submission is right, and has all its points; nothing is written outside."""
    (tmp_path / "in").mkdir()
    right = sorted(glob.glob(os.path.join(ROOT, "tests", "labs", "04", "right-*.c")))[0]
    shutil.copy(right, tmp_path / "in" / "zoe.c")
    for name, body in ILL.items():
        (tmp_path / "in" / f"{name}.c").write_text(as_region(CALL.replace("BODY", body.replace("MARK", str(tmp_path)))))
    hf_make.make("all", "host")
    assert grade_all.main(["", "run", str(tmp_path / "in"), "4", "--jobs", "2", "--term", "t", "--out", str(tmp_path / "out")]) == 0
    rows = {row["student"]: row for row in csv.DictReader(open(tmp_path / "out" / "results.csv", encoding="utf-8"))}
    assert rows["zoe"]["score"] == rows["zoe"]["of"]
    assert set(rows) == {"zoe", *ILL} and all(int(row["score"]) < int(row["of"]) / 3 for name, row in rows.items() if name != "zoe"), rows
    assert not os.path.exists("/usr/mark") and not os.path.exists("/tmp/mark") and not (tmp_path / "mark").exists()
    results = "".join((tmp_path / "out" / "results" / f"{name}.json").read_text() for name in ILL)
    assert "REGION take-one" not in results and "it calls who judges it: kprintf" in results
    results_are_documented(tmp_path / "out")
