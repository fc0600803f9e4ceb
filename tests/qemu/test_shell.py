# SPDX-License-Identifier: MIT
"""The shell from outside: the contract of CMD, the prompt's keys, and that nothing typed breaks it."""

import random
import re

import pytest

from run import Machine, run_commands

# What must not be run with silly words, since without a refusal it would end the machine.
ENDS_THE_MACHINE = {"poweroff", "powercut"}
# What does its whole job when it is called without words, and needs minutes for it.
LONG_WITHOUT_WORDS = {"bench", "race", "selftest"}


def without_dimms(cmd, folder, **variables):
    """A machine for what has nothing to do with persistent memory: none is made, none is looked at."""
    return run_commands(cmd, folder, PMEM="", **variables)


def lines(result):
    """The serial line from the first command on."""
    text = result.text.replace("\r\n", "\n")
    at = re.search(r"^> ", text, re.M)
    return text[at.start():].splitlines() if at else []


# ---- make run CMD="…"


def test_each_command_is_framed(tmp_path):
    result = without_dimms("echo 'a  b' *; echo c\\;d", tmp_path)
    assert lines(result) == ["> echo 'a  b' *", "a  b *", "[status 0]",
                             "> echo c\\;d", "c;d", "[status 0]"], result.text
    assert result.status == 0


def test_a_failing_command_does_not_stop_the_next(tmp_path):
    result = without_dimms("selftset; help no-such; echo on", tmp_path)
    assert [c.status for c in result.commands] == [2, 2, 0], result.text
    assert "unknown command 'selftset': did you mean 'selftest'?" in result.text
    assert result.status != 0 and result.rc == 35


@pytest.mark.parametrize("cmd", ["", " ", ";", ";;", " ; ; "])
def test_no_command_is_no_failure(tmp_path, cmd):
    result = without_dimms(cmd, tmp_path)
    assert result.status == 0 and not result.commands, result.text


@pytest.mark.parametrize("cmd, sentence", [
    ("echo a; echo 'b", "the single quote opened at column 14 is not closed"),
    ("echo a; echo \"b", "the double quote opened at column 14 is not closed"),
    ("echo a; echo \\", "the backslash at column 14 has nothing to quote"),
    ("&", "'&' at column 1 has no command before it"),
    ("echo a && echo b", "'&&' at column 8 is not known here"),
    ("echo" + " w" * 40, "more than 32 words in one command"),
    ("echo \x01", "byte 0x01 at column 6 is not text"),
])
def test_a_line_with_a_mistake_runs_nothing(tmp_path, cmd, sentence):
    result = without_dimms(cmd, tmp_path)
    assert sentence in result.text, result.text
    assert lines(result)[-1] == "[status 22]" and "\na\n" not in result.text
    assert result.rc == 35


def test_long_lists(tmp_path):
    result = without_dimms("echo " + "x" * 5000 + "; " + "echo y;" * 500, tmp_path)
    assert result.status == 0 and len(result.commands) == 501, result.text[-2000:]
    assert result.commands[0].output == "x" * 5000 + "\n"
    result = without_dimms("echo " + "x" * 66000, tmp_path)
    assert "66005 bytes" in result.text and result.rc == 35


def test_jobs(tmp_path):
    result = without_dimms("sleep 300 & sleep x & jobs; wait; echo end", tmp_path)
    text = lines(result)
    assert text[:3] == ["> sleep 300 &", "[job 1] started", "[status 0]"], result.text
    assert "[job 1] done: status 0: sleep 300" in text
    assert "[job 2] done: status 22: sleep x" in text
    assert "sleep 300" in result.command("jobs").output
    assert result.command("echo end").output == "end\n"
    assert result.rc == 35  # job 2 failed


def test_kill_ends_a_wait(tmp_path):
    result = without_dimms("sleep 60000 & sleep 50; kill %1; wait; kill %1", tmp_path)
    assert "[job 1] done: status 4: sleep 60000" in lines(result), result.text
    assert result.command("kill %1").status == 0
    assert result.commands[-1].status == 3


def test_a_job_that_still_waits_is_named(tmp_path):
    result = without_dimms("sleep 80000 &", tmp_path, ICOUNT=1, SMP=1)
    assert "1 job has not ended" in result.text, result.text
    assert re.search(r"^\[job 1\] .*sleep 80000: waits for time to pass, woken by:", result.text,
                     re.M)
    assert result.rc == 35


def test_poweroff_ends_the_list(tmp_path):
    result = without_dimms("echo a; poweroff; echo b", tmp_path)
    assert [c.status for c in result.commands] == [0, 0], result.text
    assert "not run: echo b" in result.text and result.rc == 33


# ---- selftest and museum


def test_selftest_speaks_ktap(tmp_path):
    result = without_dimms("selftest selftest.* glob.* shell.numb*; selftest selftest.*", tmp_path)
    assert result.commands[0].status == 2, "a pattern without a match fails all of it"
    text = result.commands[1].output.splitlines()
    assert text[0] == "KTAP version 1"
    plan = int(re.fullmatch(r"1\.\.(\d+)", text[1]).group(1))
    results = [line for line in text if re.match(r"(not )?ok ", line)]
    assert plan == len(results) > 5
    for number, line in enumerate(results, 1):
        assert re.fullmatch(rf"ok {number} selftest\.[a-z-]+( # SKIP .*)?", line), line
    assert result.commands[1].status == 0


def test_selftest_lists_and_nothing_else(tmp_path):
    result = without_dimms("selftest -l; selftest -l -v; selftest -l shell.*", tmp_path)
    names = result.commands[0].output.splitlines()
    assert names == sorted(names) and len(set(names)) == len(names) > 20
    assert all(re.fullmatch(r"[a-z0-9-]+\.[a-z0-9.-]+", name) for name in names), names
    claims = result.commands[1].output.splitlines()
    assert [line.split()[0] for line in claims] == names
    assert all(len(line.split(None, 1)[1]) > 10 for line in claims)
    assert result.commands[2].output.splitlines() == [n for n in names if n.startswith("shell.")]


def test_selftest_names_the_nearest(tmp_path):
    result = without_dimms("selftest shell; selftest shell.numbrs; selftest --list", tmp_path)
    assert "did you mean 'shell.*'?" in result.commands[0].output
    assert "the nearest name is shell.numbers" in result.commands[1].output
    assert "known is -l, -v" in result.commands[2].output
    assert [c.status for c in result.commands] == [2, 2, 22]


def test_a_broken_test_is_seen(tmp_path):
    result = without_dimms("museum selftest-fails on; selftest selftest.can-fail; museum; "
                           "museum all off; selftest selftest.can-fail", tmp_path)
    assert [c.status for c in result.commands] == [0, 5, 0, 0, 0], result.text
    assert "\nnot ok 1 selftest.can-fail\n" in "\n" + result.commands[1].output
    assert re.search(r"^# kernel/selftest/test_selftest.c:\d+: expected ", result.commands[1].output, re.M)
    assert re.search(r"^selftest-fails +on ", result.commands[2].output, re.M)


@pytest.mark.parametrize("cmd, sentence", [
    ("museum selftest-fials on", "did you mean 'selftest-fails'?"),
    ("museum selftest-fails no", "unknown state 'no'"),
    ("museum all on", "can only be turned off"),
    ("museum a b c", "usage: museum"),
])
def test_museum_refuses(tmp_path, cmd, sentence):
    result = without_dimms(cmd, tmp_path)
    assert sentence in result.text and result.commands[0].status == 22, result.text


# ---- every command


def test_no_command_breaks_on_any_words(tmp_path):
    """Every command there is, with wrong words: a refusal with a sentence, never a crash."""
    helped = run_commands("help", tmp_path).text.replace("\r\n", "\n")
    names = re.findall(r"^  ([a-z][a-z0-9_-]*) ", helped, re.M)
    assert len(names) > 10
    for words in ("zzz", "''", "-1 -1", "0xffffffffffffffff 99999999999999999999 -", "x " * 20,
                  "/no/such/file 0 0", "y" * 300, "%s%n%s%n"):
        cmd = "; ".join(f"{name} {words}" for name in names if name not in ENDS_THE_MACHINE)
        result = run_commands(cmd, tmp_path)
        assert result.rc in (33, 35), (words, result.text[-3000:])
        for command in result.commands:
            assert command.status is not None, command
            assert command.status == 0 or command.output.strip(), f"no sentence: {command}"
    quiet = ENDS_THE_MACHINE | LONG_WITHOUT_WORDS
    result = run_commands("; ".join(name for name in names if name not in quiet), tmp_path)
    assert result.rc in (33, 35), result.text[-3000:]
    result = run_commands("; ".join(f"help {name}" for name in names), tmp_path)
    assert result.status == 0
    for command in result.commands:
        assert command.output.startswith(f"usage: {command.line[5:]}"), command


# ---- the prompt


def test_the_prompt(tmp_path):
    with Machine(tmp_path, PMEM="") as m:
        assert "explains one" in m.ask("hel\t")
        assert "a b c" in m.ask("ech \x7fo \"a b\" c")
        assert "a b c" in m.ask("\x1b[A")  # history
        assert m.ask("") == ""
        assert "[status 2] ENOENT" in m.ask("musuem")
        assert "xxx" in m.ask("echo " + "x" * 900)
        m.type("s\t")
        m.expect("selftest")
        m.type("\x15")
        m.type("sleep 600000\r\x03")
        m.expect(r"\^C")
        m.expect(r"\[status 4\] EINTR")
        m.type("y" * 1100 + "\x03")
        m.expect(r"\^C")
        m.type("\x04")
        m.expect("`poweroff` unmounts")
        assert "echo" in m.ask("history")
        m.send("poweroff")
        assert m.wait() in (0, 33)


TABS = [  # what is typed, and the line that comes of it; each is run
    ("mount pmem0 /t life\tzap\t", "mount pmem0 /t lifetime=zap-to-zero "),
    ("mkdir /t/dir", None), ("write /t/dir/hello 0 hi", None), ("write '/t/dir/two words' 0 2", None),
    ("ca\t/\td\the\t", "cat /t/dir/hello "),
    ("cat /t/dir/tw\t", "cat /t/dir/two\\ words "),
    ("cat '/t/dir/tw\t", "cat '/t/dir/two words' "),
    ("time ls /t/d\t", "time ls /t/dir/"),
    ("map /t/dir/h\tr\tprivate", "map /t/dir/hello ro private"),
    ("unmap m\t", "unmap m1 "), ("map /t/dir/h\t", "map /t/dir/hello "),
    ("touch m\t", "touch m1 "), ("pin m\t", "pin m1 "), ("unpin p\t", "unpin p1 "),
    ("unmap m\t", "unmap m1 "), ("umount /\t", "umount /t "),
    ("mount pmem0 /u lon\ta\tera=5\t", "mount pmem0 /u longterm=allow era=5.18 "),
    ("museum skip-w\tof\t", "museum skip-wake off "), ("selftest -l glob.p\t", None),
    ("pmem rev\tpmem1", "pmem revive pmem1"), ("sleep 600000 &", None),
    ("kill %\t", "kill %1 "),
]


def test_tab_completes_what_the_usage_allows(tmp_path):
    """Paths, values, names and numbers that exist right now; `history` has the lines they became."""
    with Machine(tmp_path) as m:
        for typed, _ in TABS:
            m.send(typed)
            m.send("echo done")
            m.expect(r"\ndone\r?\n")
        lines_ = [line[6:].rstrip("\r") for line in m.ask("history").splitlines()]
        typed_lines = [line for line in lines_ if line != "echo done"]
        for at, (typed, line) in enumerate(TABS):
            if line:
                assert typed_lines[at] == line, (typed, typed_lines[at])
        m.type("museum s\t\t")  # more than one: listed
        m.expect(r"\nscan-once +")
        m.type("\x15cat /t/no\tx\x15")  # nothing is there: the bell
        m.expect("\x07")


def test_a_job_that_ends_does_not_disturb_the_line(tmp_path):
    with Machine(tmp_path, PMEM="") as m:
        m.ask("sleep 300 &")
        m.type("echo part")
        m.expect(r"\[job 1\] done: status 0: sleep 300")
        assert "partial" in m.ask("ial")


def test_poweroff_is_refused_while_a_job_runs(tmp_path):
    with Machine(tmp_path, PMEM="") as m:
        m.ask("sleep 600000 &")
        answer = m.ask("poweroff")
        assert "sleep 600000" in answer and "[status 16] EBUSY" in answer
        m.send("poweroff -f")
        assert m.wait() in (0, 33)


def test_noise_at_the_prompt(tmp_path):
    """6,000 random bytes; commands that end the machine cannot be spelt with these."""
    source = random.Random(5)
    letters = [c for c in range(0x21, 0x7f) if c not in b"pr"]
    bytes_ = letters + list(range(0x20)) * 2 + [0x1b, 0x5b, 0x41, 9, 13, 0x27, 0x22, 0x26] * 8
    with Machine(tmp_path, PMEM="") as m:
        for _ in range(60):
            m.type("".join(chr(source.choice(bytes_)) for _ in range(100)))
        m.type("\x03\r\x03'\x15\x03")
        m.type("\x15echo still here\r")
        m.expect(r"\nstill here")


def test_a_power_cut_keeps_the_verdict(tmp_path):
    pmem = f"{tmp_path}/cut.img,size=16M,shadow"
    result = run_commands("powercut; echo never", tmp_path, PMEM=pmem)
    assert [c.status for c in result.commands] == [0] and result.rc == 33, result.text
    result = run_commands("no-such; powercut", tmp_path, PMEM=pmem)
    assert [c.status for c in result.commands] == [2, 0] and result.rc == 35, result.text
