#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""`make grade [LAB=4]`: what an answer does, check by check.

    grade.py [NUMBER] [--from DIR] [--json FILE] [--term TERM --student WHO]

Without a number: the lab that labs/THIS names (make lab). --from DIR: the regions of the tree DIR are
graded in a fresh tree of this one, so that nothing else that DIR holds counts; one that cannot be taken
(its marks, a link, what reaches beyond it) is told, and graded as a stub. --json: the result as
Gradescope reads it; also of a submission that cannot be graded. --term, --student: with the checks that are hidden
(tests/labs/NN/hidden.toml), and with what is drawn for that student (variant.py).

A check is a line of commands of its own, in a process of its own: one that panics, hangs or prints
what looks like a result costs that check and no other. Self-tests, races and the explorer play in
Holdfast as a Linux process, and so is what a reading lab asks; `host` plays cases of a host test (tests/host),
which links the region's file as a library, with sanitizers; `kernel` plays self-tests in QEMU, and `bench` counts instructions
there, both by instructions and not by a clock (ICOUNT=1). So no mark depends on the host; the
limits are there to end what never ends. How far a submission is kept apart from who grades it, and how
far not, is said in submission.py. Status: 0 full marks, 1 less, 2 not graded.
"""

import argparse
import collections
import contextlib
import fcntl
import fnmatch
import json
import os
import re
import secrets
import shutil
import signal
import sys
import tempfile
import time
import types

import judge
import lab
import labs
from enough import until_enough
import progress
import submission
import variant

LIMIT = 60  # seconds for one check: what is right takes a few at most
BUILD_LIMIT = 900  # seconds for a whole build, with newlib
BUILD_SPACE = 8 << 30  # bytes of addresses for one compiler
RACE = 100  # lines of a race that are shown: the longest has 85, and its first ones say whose column is whose
ROOM = 1 << 20  # bytes on the disk; where a build failed with less, the answer may be right
ALL = 900  # seconds for what is played of one submission; a check behind that is not played
# The verdict may stand behind something that the answer printed without a new line.
ORDERS = re.compile(r"explore (\S+) lifetime=(\S+) model=(\S+) strategy=\S+: (complete|ended|bounded \(.*\)), "
                    r"(\d+) executions, .*, (safe|BROKEN \S+ .*)$", re.M)
TOKEN = re.compile(r"^token (\S+)$", re.M)

# text: what happened, lines; waits: it was not played, since another check that it needs has not passed.
Outcome = collections.namedtuple("Outcome", "check points text waits", defaults=(False,))


# ---- running ----------------------------------------------------------------------------------

def make(root, *words, seconds=BUILD_LIMIT, space=BUILD_SPACE, seen=lambda got: None):
    """make in the tree, with the variables that are nobody's who called us."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("MAKE") and k not in ("LAB", "DIR", "JSON", "CMD")}
    strange = root in submission.STRANGE
    return submission.run([*submission.within(root, submission.IMAGES if "run" in words else submission.jail.TEMPORARY),
                           "make", "-C", root, *words], seconds, cwd=root, env=env, space=space,
                          files=submission.OBJECT if strange and "run" not in words else submission.FILES, seen=seen)


def build(root, *words, seen=lambda got: None):
    """make in the tree; what it said if it failed, None if it did not."""
    ended = make(root, *words, seen=seen)
    return None if ended.status == 0 else f"{ended.output}\n{ended.why or ''}"


def play(root, line, drawn=None):
    """(status, output) of one line of commands, or None for a status: it did not come to its end. drawn: another machine
    than that of the tree's VARIANT."""
    word = secrets.token_hex(8)
    words = [*variant.machine(variant.read(root) if drawn is None else drawn), "-c", f"echo {word}; {line}; echo {word}"]
    return submission.between(submission.home(os.path.join(root, "build", "host", "holdfast"), words, LIMIT), word)


# ---- judging ----------------------------------------------------------------------------------

def said(output, lines=12):
    """The end of an output, indented, for who reads why; of one that ends in a panic its report's begin, which has the reason.
    What is left out at either side is counted."""
    seen = "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in output)
    there = seen.rstrip().split("\n")
    panic = next((at for at, line in enumerate(there) if line.startswith("PANIC")), len(there))
    begin = max(0, min(panic - 1, len(there) - lines))
    left = len(there) - begin - lines
    return [*([f"  … {begin} lines before these"] if begin else []), *(f"  {line[:400]}" for line in there[begin:begin + lines]),
            *([f"  … {left} lines behind these"] if left > 0 else [])]


def judge_selftest(check, status, output):
    """Each test that was asked for is there once, and ok."""
    results = re.findall(r"(not ok|ok) \d+ (\S+)", output)
    end = re.findall(r"# (\d+) passed, 0 failed, 0 skipped$", output, re.M)
    good = status == 0 and len(end) == 1 and int(end[0]) == len(results) > 0 and {r for r, _ in results} == {"ok"}
    return good, [f"{len(results)} test(s) passed"] if good else said(output)


def judge_race(check, status, output):
    """The verdict of the one order of events that the script plays."""
    found = re.findall(r"race (.*): (safe|BROKEN I\d.*|HUNG I4.*|skip .*)$", output, re.M)
    ended = status is not None if check.expect else status == 0
    good = len(found) == 1 and re.match(check.expect or "safe$", found[0][1]) and ended
    return bool(good), [f"race {found[0][0]}: {found[0][1]}"] if good else said(output, RACE)


def order(output, lines=50):
    """The order that breaks a rule, for who reads it: the verdict, whose column is whose, and its end, with a word for what
    is left out."""
    there = output.rstrip().split("\n")
    verdict = next((at for at, line in enumerate(there) if ORDERS.search(line)), None)
    if verdict is None or verdict + 2 + lines >= len(there):
        return said(output, lines + 2)
    left = len(there) - verdict - 2 - lines
    return [*said("\n".join(there[verdict:verdict + 2])), f"  … {left} lines before these", *said("\n".join(there[-lines:]), lines)]


def judge_explore(check, status, output):
    """All orders of events, or the shortest one that breaks a rule."""
    found = ORDERS.findall(output)
    if status == 0 and len(found) == 1 and found[0][5] == "safe":
        name, _, model, how, count, _ = found[0]
        words = f"holds in all {int(count):,} orders that differ" if how == "complete" else \
            f"holds in the {int(count):,} orders that were played, {how}"
        return True, [f"{name}: {words} ({model})"]
    token = TOKEN.search(output)
    return False, order(output) + ([f"the same order again: make explain TOKEN={token[1]}"] if token else [])


def counted(line):
    """{} for a line that only looks like a row."""
    try:
        row = json.loads(line)
    except ValueError:
        return {}
    return row if isinstance(row, dict) and isinstance(row.get("value"), (int, float)) else {}


def judge_bench(check, status, output):
    """Instructions, each row at most what the check allows, and each row that was asked for, once."""
    rows = [counted(line) for line in re.findall(r'\{"bench".*', output)]
    names = [str(row.get("bench")) for row in rows]
    asked = check.run.split()[1:]
    right = names and len(set(names)) == len(names) and all(any(fnmatch.fnmatch(n, a) for a in asked) for n in names)
    good = status == 0 and right and all(row["value"] <= check.atmost for row in rows)
    return bool(good), [f"{row['bench']}: {row['value']} {row.get('unit')}, at most {check.atmost}"
                        for row in rows] if right else said(output)


def judge_host(check, status, output):
    """Each case that was asked for ran once, and is ok."""
    asked = check.run.split()[2:]
    good = status == 0 and re.findall(r"^\[ +OK \] (\w+)$", output, re.M) == asked
    return good, [f"{len(asked)} case(s) passed"] if good else said(output)


def judge_shell(check, status, output):
    """Commands, each with status 0, that print what was expected."""
    others = re.findall(r"^\[status (-?\d+)\]$", output, re.M)
    return status == 0 and set(others) <= {"0"} and bool(re.search(check.expect or "", output, re.M)), said(output, 20)


JUDGES = {"shell": judge_shell, "host": judge_host, "selftest": judge_selftest, "kernel": judge_selftest, "race": judge_race,
          "explore": judge_explore, "bench": judge_bench}


def kernel(root, line):
    """(status, output) of a line in QEMU, which counts instructions."""
    wrong = build(root, "all")
    if wrong:
        return None, wrong
    word = secrets.token_hex(8)
    images = ["PMEM=/tmp/0.img,size=1G,align=2M /tmp/1.img,size=16G,align=2M,scratch"] if root in submission.STRANGE else []
    return submission.between(make(root, "-s", "run", "ICOUNT=1", *images, f"CMD=echo {word}; {line}; echo {word}",
                                   f"TIMEOUT={LIMIT}", seconds=2 * LIMIT, space=None), word)


def host(root, line):
    """(status, output) of cases of a host test, each in a process of its own; the sanitizers want more addresses than
    there is memory."""
    _, name, *cases = line.split()
    # Warnings have been asked about: the compiler of a test has others, and costs no points.
    wrong, program = build(root, f"build/host/{name}", "WARN="), os.path.join(root, "build", "host", name)
    if wrong:
        return None, wrong
    output = ""
    for case in cases:
        ended = submission.home(program, [case], LIMIT, space=None)
        if ended.status != 0:
            return ended.status, f"{ended.output}\n{ended.why or ''}"
        output += ended.output
    return 0, output


PLAYERS = {"kernel": kernel, "bench": kernel, "host": host}


def explained(check, reached, text, output=None):
    """An outcome; of one that failed the first wrong answer that was foreseen and fits is named."""
    seen = "\n".join(text) if output is None else output
    hint = next((says for when, says in check.because if when.search(seen)), None) if reached < check.points else None
    return Outcome(check, reached, text + ([f"=> {hint}"] if hint else []))


def outcome(root, check, which=None):
    """Plays one check and judges it; which: the lab whose answer is there, for the races of its lines."""
    kind = check.run.split()[0]
    status, output = PLAYERS.get(kind, play)(root, re.sub("^(shell|kernel) ", "", check.run))
    good, text = JUDGES[kind](check, status, output)
    raced = judge.own_race(output, labs.lines(root, which)) if good and which and kind == "explore" else None
    if raced:
        return Outcome(check, 0, [*text, f"=> {raced}"])
    if good:
        return Outcome(check, check.points, text)
    return explained(check, 0, text, output)


# ---- answers in words (`ask`) -----------------------------------------------------------------

FIELD = re.compile(r"\{([a-z][a-z0-9.-]*)\}")
WORD = re.compile(r"[A-Za-z0-9.:_-]{1,200}")
FINDS = re.compile(r"explore [a-z0-9.-]+( (lifetime|model|bound|strategy)=[a-z0-9-]+)*")


def as_word(root, name, value):
    """An answer that becomes a word of a command. For a token the line that finds it will do, `explore NAME lifetime=L`."""
    if FINDS.fullmatch(value):
        token = TOKEN.search(play(root, value, {})[1])
        if not token:
            raise labs.Wrong(f"{name}: '{value}' finds nothing that breaks")
        return token[1]
    value = value.removeprefix("lifetime=")
    if not WORD.fullmatch(value):
        raise labs.Wrong(f"{name}: '{value}' is not one word")
    return value


def as_pattern(value):
    """An answer in what the machine prints: several numbers may have anything between them, `1 0` or `1 reference, 0
    mappings`."""
    numbers = re.findall(r"\d+", value)
    if len(numbers) > 1 and not re.search(r"\d[xX.]", value):
        return r"\b" + r"\b\D{1,20}\b".join(numbers) + r"\b"
    words = r"[\s|]+".join(re.escape(word) for word in value.split())  # a column of a race breaks its lines
    return rf"(?<!\w){words}(?!\w)"


def expected(check):
    """The patterns of an `ask`."""
    return [check.expect] if isinstance(check.expect, str) else check.expect


def asked(root, check, values):
    """The outcome of an `ask`: the machine is asked, the one that whoever reads has as well, and answers as was said before."""
    names = list(dict.fromkeys(FIELD.findall(" ".join([check.run, *expected(check)]))))
    without = [name for name in names if name not in values]
    if without:
        return Outcome(check, 0, [f"no answer to '{without[0]}' yet"])
    text = [f"answer {name}: {values[name]}" for name in names]
    if check.form:
        form, words = labs.FORMS[check.form]
        wrong = next((name for name in names if f"{{{name}}}" not in check.run and not form.match(values[name])), None)
        if wrong:
            return Outcome(check, 0, [*text, f"=> {wrong}: what is asked for is {words}."])
    try:
        line = FIELD.sub(lambda m: as_word(root, m[1], values[m[1]]), check.run.removeprefix("ask "))
    except labs.Wrong as err:
        return Outcome(check, 0, [*text, str(err)])
    status, output = play(root, line, {})
    wanted = [FIELD.sub(lambda m: as_pattern(values[m[1]]), pattern) for pattern in expected(check)]
    if status is not None and all(re.search(pattern, output, re.M | re.I) for pattern in wanted):
        return Outcome(check, check.points, [*text, "the machine says so too"])
    return explained(check, 0, [*text, f"the machine says something else: build/host/holdfast -c \"{line}\""],
                     "\n".join(text) + "\n" + output)


def compiled(root, check, known, seen=lambda got: None):
    """The check that builds; its text says what the compiler said. `known`: what the product calls, or None for
    anything."""
    wrong = build(root, "host", *check.run.split()[1:], seen=seen)
    if wrong and full(root):
        raise labs.Wrong(f"there is no room left on the disk of {root}: nothing was graded")
    wrong = wrong or judge.wrong(root, known)
    return Outcome(check, 0 if wrong else check.points, said(wrong, 20) if wrong else ["it compiles"])


def full(folder):
    """Is there no room for a file on this disk?"""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize < ROOM


def files_in(got):
    """How far a build is: the file that is compiled, of how many (compiling.mk)."""
    told = re.findall(rb"^  (?:CC|HOSTCC|NASM) +\[ *(\d+)/(\d+)\] \S", got, re.M)
    return "compiles: file %s of %s" % tuple(number.decode() for number in told[-1]) if told else ""


def grade(root, which, tell=lambda outcome: None, known=None):
    """All outcomes, each told as soon as it is known. A tree that does not compile has no others, and a
    check none before those that it needs have passed."""
    found, end = {}, None
    os.environ["WRITTEN"] = " ".join(sorted({region.file for region in which.regions}))  # for a handout's Makefile
    with progress.Progress("grading", len(which.checks)) as bar:
        for check in which.checks:
            bar.step(check.name)
            missing = [name for name in ["compiles", *check.needs]
                       if name in found and found[name].points < found[name].check.points]
            if check.run.split()[0] == "build":
                one = compiled(root, check, known, lambda got: bar.rename(files_in(got)))
                end = time.monotonic() + ALL
            elif missing:
                one = Outcome(check, 0, [f"not played before '{missing[0]}' has passed"], True)
            elif end and time.monotonic() > end:
                one = Outcome(check, 0, [f"not played: what comes before it took more than {ALL} s"])
            elif check.run.startswith("ask "):
                one = asked(root, check, labs.values(root, which))
            else:
                one = outcome(root, check, which)
            found[check.name] = one
            bar.clear()
            tell(one)
    return list(found.values())


# ---- telling ----------------------------------------------------------------------------------

def tell(one):
    """One check, for a terminal."""
    word = "ok" if one.points == one.check.points else "wait" if one.waits else "FAIL"
    print(f"{word:4} {one.points:2}/{one.check.points:<2} {one.check.name}: {one.check.asks}")
    for line in one.text:
        print(f"           {line}")
    sys.stdout.flush()


def reason(one):
    """The line of an outcome that says most: what was foreseen, else what the compiler or the panic said, else the last one that is
    not make's own."""
    lines = [line.strip() for line in one.text if not line.strip().startswith("make")] or [one.check.asks]
    return next((line for word in ("=> ", "error: ", "PANIC", "not ok ") for line in lines if word in line), lines[-1])


def summary(found):
    """What failed once more, behind all that waits for it; empty, if nothing did."""
    failed = [one for one in found if one.points < one.check.points and not one.waits]
    waits = sum(one.waits for one in found)
    lines = [f"FAIL {one.check.name}: {reason(one)}" for one in failed]
    return [f"what failed, once more{f'; {waits} more wait for these' if waits else ''}:", *lines] if failed else []


def points(found):
    """(reached, all that there are)"""
    return sum(one.points for one in found), sum(one.check.points for one in found)


def as_json(found, notes=()):
    """What Gradescope reads (results.json; gradescope-autograders.readthedocs.io, "Autograder Specifications")."""
    return {"score": points(found)[0], "output": "\n".join(notes),
            "tests": [{"name": one.check.name, "score": one.points, "max_score": one.check.points,
                       "status": "passed" if one.points == one.check.points else "failed",
                       "output": "\n".join([one.check.asks, *one.text]),
                       "visibility": "after_published" if one.check.hidden else "visible"} for one in found]}


@contextlib.contextmanager
def alone(root):
    """One grade of a tree at a time: two would build it at once. The second one waits."""
    folder = os.path.join(root, "build", "locks")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "grade"), "w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"grade: another one is going on in {root}; waiting for its end", file=sys.stderr, flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def tree_with(which, answers, root, drawn=types.MappingProxyType({})):
    """(a tree like this one with somebody's answers, what the product calls); drawn: what is of that student alone."""
    with tempfile.TemporaryDirectory(prefix="grade-", ignore_cleanup_errors=True) as above:
        tree = os.path.join(above, "tree")
        with alone(root):
            lab.make(which.number, tree, root)
        labs.rewrite(tree, which, answers)
        variant.write(tree, drawn)
        known = judge.known(tree, which)
        with submission.strange(tree):
            yield tree, known


def answers_in(which, folder, notes):
    """The answers of a tree; notes: what was not taken."""
    if not os.path.isdir(folder):
        raise labs.Wrong(f"{folder} is no folder: DIR is a tree that 'make lab' made, or a copy of it")
    answers = labs.answers_of(folder, which, notes)
    if not answers:
        raise labs.Wrong(f"nothing in {folder} can be graded: " + "; ".join(note.removesuffix(labs.AS_STUB) for note in notes))
    return answers


@contextlib.contextmanager
def where(which, args, notes):
    """(the tree to grade in, what the product calls)"""
    if args.other:
        drawn = variant.values(args.term, args.student) if args.student else {}
        answers = answers_in(which, os.path.abspath(os.path.expanduser(args.other)), notes)
        with tree_with(which, answers, labs.ROOT, drawn) as made:
            yield made
        return
    with alone(labs.ROOT):
        labs.answers_of(labs.ROOT, which, notes)
        notes[:] = [note.replace(": graded as if", ": if it is handed in like that, it counts as if") for note in notes]
        yield labs.ROOT, None


def number_of(word, root):
    """The lab that was asked for, or the one that the tree was made for."""
    if word:
        return word
    try:
        with open(os.path.join(root, "labs", "THIS"), encoding="utf-8", errors="replace") as known:
            return known.read(80).strip()
    except OSError as err:
        raise labs.Wrong("which lab? make grade LAB=4 (a tree of `make lab` knows its own)") from err


def lab_of(args):
    """The lab with all its checks, as they are for that student."""
    which = labs.lab(number_of(args.number, labs.ROOT))
    if not args.student:
        return which
    drawn, word = variant.values(args.term, args.student), variant.who(args.term, args.student)
    return which._replace(checks=[*which.checks, *(variant.fill(one, drawn, word) for one in labs.hidden(which))])


def graded(args, notes):
    """Grades and says so; value: the outcomes."""
    which = lab_of(args)
    with where(which, args, notes) as (tree, known):
        for note in notes:
            print(f"note: {said(note, RACE)[0].strip()}")
        print(f"lab {which.number}: {which.title}; {len(which.checks)} checks. Building first{lab.first_build(tree)}.", flush=True)
        found = grade(tree, which, tell, known)
    print("\n".join(summary(found)), end="\n" if summary(found) else "")
    print("%u of %u points" % points(found))
    return found


def main(argv):
    """What the words ask for; what cannot be graded is told, in the result as well."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("number", nargs="?", default="")
    parser.add_argument("--from", dest="other")
    parser.add_argument("--json")
    parser.add_argument("--term", default="")
    parser.add_argument("--student", default="")
    args = parser.parse_args(argv[1:])
    sys.stdout.reconfigure(errors="backslashreplace")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))
    notes = []
    try:
        # Opened first: a result that cannot be written is told before all the work.
        with open(args.json, "a", encoding="utf-8") if args.json else contextlib.nullcontext() as out:
            try:
                found, wrong = graded(args, notes), None
            except (labs.Wrong, OSError) as err:
                found, wrong = [], labs.cause(err)
            if out:
                out.truncate(0)
                json.dump(as_json(found, [wrong] if wrong else notes), out, indent=1)
        if wrong:
            raise labs.Wrong(wrong)
        return 0 if points(found)[0] == points(found)[1] else 1
    except (labs.Wrong, OSError) as err:
        print(f"grade: {labs.cause(err)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("grade: interrupted; there are no marks", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(until_enough(main, sys.argv))
