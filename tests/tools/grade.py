#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""`make grade [LAB=4]`: what an answer does, check by check.

    grade.py [NUMBER] [--from DIR] [--json FILE]

Without a number: the lab that labs/THIS names (make lab). --from DIR: the regions of the tree DIR are
graded in a fresh tree of this one, so that nothing else that DIR holds counts. --json: the result as
Gradescope reads it.

A check is a line of commands of its own, in a process of its own: one that panics, hangs or prints
what looks like a result costs that check and no other. Self-tests, races and the explorer play in
Holdfast as a Linux process; `bench` counts instructions in QEMU. So no mark depends on the host; the
limits in seconds are there to end what never ends. Status: 0 full marks, 1 less, 2 not graded.
"""

import argparse
import collections
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile

import lab
import labs

LIMIT = 60  # seconds for one check: what is right takes a few at most
RC_TIME = 124
ORDERS = re.compile(r"^explore (\S+) lifetime=(\S+) model=(\S+) strategy=\S+: (complete|ended|bounded \(.*\)), "
                    r"(\d+) executions, .*, (safe|BROKEN \S+ .*)$", re.M)
TOKEN = re.compile(r"^token (\S+)$", re.M)

Outcome = collections.namedtuple("Outcome", "check points text")  # text: what happened, lines


# ---- running ----------------------------------------------------------------------------------

def build(root, *words):
    """make in the tree; what it said if it failed, None if it did not."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("MAKE") and k not in ("LAB", "DIR")}
    done = subprocess.run(["make", "-C", root, *words], env=env, stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace", check=False)
    return None if done.returncode == 0 else done.stdout


def play(root, line):
    """(status, output) of one line of commands, or None for a status: it did not come to its end.

    A word that nobody can guess is printed before and behind it: output without the second one is of a
    machine that ended too early."""
    word = secrets.token_hex(8)
    command = [os.path.join(root, "build", "host", "holdfast"), "-p", "-,size=1G", "-p", "-,size=16G,scratch",
               "-c", f"echo {word}; {line}; echo {word}"]
    try:
        done = subprocess.run(command, cwd=root, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=LIMIT, text=True, errors="replace", check=False)
        out = done.stdout
    except subprocess.TimeoutExpired as over:
        out = (over.stdout or b"").decode(errors="replace")
        return None, out.split(word, 2)[-1] + f"\nit did not end within {LIMIT} s"
    parts = re.split(rf"(?m)^{word}$", out)
    if len(parts) != 3:
        return None, re.sub(rf"(?m)^.*{word}.*\n?", "", parts[-1])
    body = re.sub(r"\A\s*\[status 0\]\s*> .*\n", "", parts[1])
    status = re.search(r"^\[status (-?\d+)\]\n> echo [0-9a-f]+\n\Z", body, re.M)
    return (int(status.group(1)) if status else None), body[:status.start()] if status else body


# ---- judging ----------------------------------------------------------------------------------

def said(output, lines=12):
    """The end of an output, indented, for who reads why."""
    return [f"  {line}" for line in output.rstrip().splitlines()[-lines:]]


def judge_selftest(check, status, output):
    """Each test that was asked for is there once, and ok."""
    results = re.findall(r"^(ok|not ok) \d+ (\S+)", output, re.M)
    end = re.findall(r"^# (\d+) passed, 0 failed, 0 skipped$", output, re.M)
    good = status == 0 and len(end) == 1 and int(end[0]) == len(results) > 0 and {r for r, _ in results} == {"ok"}
    return good, [f"{len(results)} test(s) passed"] if good else said(output)


def judge_race(check, status, output):
    """The verdict of the one order of events that the script plays."""
    found = re.findall(r"^race (.*): (safe|BROKEN I\d.*|HUNG I4.*|skip .*)$", output, re.M)
    good = len(found) == 1 and re.match(check.expect or "safe$", found[0][1]) and status is not None
    return bool(good), [f"race {found[0][0]}: {found[0][1]}"] if good else said(output, 20)


def judge_explore(check, status, output):
    """All orders of events, or the shortest one that breaks a rule."""
    found = ORDERS.findall(output)
    if status == 0 and len(found) == 1 and found[0][5] == "safe":
        name, _, model, how, count, _ = found[0]
        words = f"holds in all {int(count):,} orders that differ" if how == "complete" else \
            f"holds in the {int(count):,} orders that were played, {how}"
        return True, [f"{name}: {words} ({model})"]
    token = TOKEN.search(output)
    return False, said(output, 60) + ([f"the same order again: make explain TOKEN={token[1]}"] if token else [])


def judge_bench(check, status, output):
    """Instructions, each row at most what the check allows."""
    rows = [json.loads(line) for line in output.splitlines() if line.startswith('{"bench"')]
    good = status == 0 and rows and all(row.get("value", 1e18) <= check.atmost for row in rows)
    return bool(good), [f"{row['bench']}: {row.get('value')} {row.get('unit')}, at most {check.atmost}"
                        for row in rows] or said(output)


JUDGES = {"selftest": judge_selftest, "race": judge_race, "explore": judge_explore, "bench": judge_bench}


def bench(root, line):
    """(status, output) of a bench in QEMU, which counts instructions."""
    wrong = build(root, "all")
    if wrong:
        return None, wrong
    done = subprocess.run(["make", "-s", "-C", root, "run", "ICOUNT=1", f"CMD={line}", f"TIMEOUT={LIMIT}"],
                          stdin=subprocess.DEVNULL, text=True, errors="replace", stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, check=False)
    return done.returncode, done.stdout


def outcome(root, check):
    """Plays one check and judges it; the first wrong answer that was foreseen and fits is named."""
    kind = check.run.split()[0]
    status, output = (bench if kind == "bench" else play)(root, check.run)
    good, text = JUDGES[kind](check, status, output)
    if good:
        return Outcome(check, check.points, text)
    hint = next((says for when, says in check.because if when.search(output)), None)
    return Outcome(check, 0, text + ([f"=> {hint}"] if hint else []))


def compiled(root, check):
    """The check that builds; its text says what the compiler said."""
    wrong = build(root, "host")
    return Outcome(check, 0 if wrong else check.points, said(wrong, 20) if wrong else ["it compiles"])


def grade(root, which, tell=lambda outcome: None):
    """All outcomes, each told as soon as it is known. A tree that does not compile has no others, and a
    check none before those that it needs have passed."""
    found = {}
    for check in which.checks:
        missing = [name for name in ["compiles", *check.needs]
                   if name in found and found[name].points < found[name].check.points]
        if check.run == "build":
            one = compiled(root, check)
        elif missing:
            one = Outcome(check, 0, [f"not played before '{missing[0]}' has passed"])
        else:
            one = outcome(root, check)
        found[check.name] = one
        tell(one)
    return list(found.values())


# ---- telling ----------------------------------------------------------------------------------

def tell(one):
    """One check, for a terminal."""
    full = one.points == one.check.points
    print(f"{'ok  ' if full else 'FAIL'} {one.points:2}/{one.check.points:<2} {one.check.name}: {one.check.asks}")
    for line in one.text:
        print(f"           {line}")
    sys.stdout.flush()


def points(found):
    """(reached, all that there are)"""
    return sum(one.points for one in found), sum(one.check.points for one in found)


def as_json(found):
    """What Gradescope reads (results.json)."""
    return {"score": points(found)[0], "output": "",
            "tests": [{"name": one.check.name, "score": one.points, "max_score": one.check.points,
                       "output": "\n".join([one.check.asks, *one.text])} for one in found]}


def fresh(which, folder, root):
    """A tree of this one in `folder`, with the answers of another."""
    answers = labs.answers_of(os.path.abspath(folder), which)
    tree = os.path.join(tempfile.mkdtemp(prefix="grade-"), "tree")
    lab.make(which.number, tree, root)
    labs.rewrite(tree, which, answers)
    return tree


def number_of(word, root):
    """The lab that was asked for, or the one that the tree was made for."""
    this = os.path.join(root, "labs", "THIS")
    if not word and not os.path.exists(this):
        raise labs.Wrong("which lab? make grade LAB=4 (a tree of `make lab` knows its own)")
    with open(this, encoding="utf-8") if not word else open(os.devnull, encoding="utf-8") as known:
        return word or known.read().strip()


def main(argv):
    """Grades and says so."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("number", nargs="?", default="")
    parser.add_argument("--from", dest="other")
    parser.add_argument("--json")
    args = parser.parse_args(argv[1:])
    tree = labs.ROOT
    try:
        which = labs.lab(number_of(args.number, labs.ROOT))
        tree = fresh(which, args.other, labs.ROOT) if args.other else labs.ROOT
        print(f"lab {which.number}: {which.title}; {len(which.checks)} checks. Building first.", flush=True)
        found = grade(tree, which, tell)
        print("%u of %u points" % points(found))
        if args.json:
            with open(args.json, "w", encoding="utf-8") as out:
                json.dump(as_json(found), out, indent=1)
        return 0 if points(found)[0] == points(found)[1] else 1
    except (labs.Wrong, OSError) as err:
        print(f"grade: {err}", file=sys.stderr)
        return 2
    finally:
        if tree != labs.ROOT:
            shutil.rmtree(os.path.dirname(tree), ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv))
