#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A folder of submissions, graded in parallel: `make grade-all DIR=submissions LAB=4 JOBS=4`.

    grade_all.py run DIR LAB [--jobs N] [--term TERM] [--out OUT]   plan, all of them by GNU parallel, the pages
    grade_all.py plan DIR LAB [--term TERM] [--out OUT]     what there is to do, into OUT; says the lines to do it by
    grade_all.py one OUT N          the N-th of them alone, from 1; see grade_job.sh
    grade_all.py pages OUT          what there is so far: results.csv, class.html, NAME.json of each

A submission is what DIR holds, and its name is the student's: NAME/ (a tree of `make lab` or `make handout`, or only
the files of the lab's regions in it), NAME.patch (made in such a tree), NAME.c (the regions, each behind
/* REGION name */), or, with LAB=bug, NAME/bug.toml or NAME.toml.

Each is graded in a process of its own (grade.py), in a fresh tree, in a jail (jail.py), and has its result as soon as
it ends; what is wrong with one costs that one. A second call grades what has no result yet, or has changed, or is
of other checks. Status: 0 all graded, 1 some could not be, 2 nothing was done.
"""

import argparse
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import asked
import bug
import class_page
import explore_home
import grade
import jail
import lab
import labs
import variant

ROOT = labs.ROOT
JOB = os.path.join(ROOT, "tests", "tools", "grade_job.sh")
LONGEST = 3600  # seconds for one submission: three times what its own limits add up to on a slow machine
ENDINGS = (".patch", ".diff", ".c", ".toml")
GRADERS = ("grade.py", "judge.py", "labs.py", "bug.py", "variant.py", "submission.py")


# ---- what there is to do ----------------------------------------------------------------------

def named(path):
    """The student's name, and whether it is one: what is no submission at all has none."""
    name, ending = os.path.splitext(os.path.basename(path))
    if os.path.isdir(path):
        name, ending = os.path.basename(path), ""
    good = not name.startswith(".") and name.isprintable() and (os.path.isdir(path) or ending in ENDINGS)
    return name if good else None


def plan(folder, number, term, out):
    """Writes OUT/plan.json; value: the plan."""
    if number != "bug":
        number = labs.lab(number).number
    if not os.path.isdir(folder):
        raise labs.Wrong(f"DIR={folder} is no folder: it holds the submissions, one each")
    found = sorted(os.path.join(folder, name) for name in os.listdir(folder))
    taken = [(named(path), path) for path in found if named(path)]
    twice = {name for name, _ in taken if [other for other, _ in taken].count(name) > 1}
    if not taken or twice:
        raise labs.Wrong(f"{folder} holds no submission" if not taken else
                         f"{', '.join(sorted(twice))}: more than one submission of one name in {folder}")
    os.makedirs(os.path.join(out, "results"), exist_ok=True)
    which = {"lab": number, "term": term, "submissions": taken,
             "left": [os.path.basename(path) for path in found if not named(path)]}
    write(os.path.join(out, "plan.json"), json.dumps(which, indent=1))
    return which


def write(path, text):
    """A file that is there as a whole, or as it was."""
    with open(f"{path}.{os.getpid()}", "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)
    os.rename(file.name, path)


def read_plan(out):
    """The plan of an OUT."""
    try:
        with open(os.path.join(out, "plan.json"), encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError) as err:
        raise labs.Wrong(f"{out} is no folder of results: {err}") from err


def result(out, name):
    """The result of one, or None."""
    try:
        with open(os.path.join(out, "results", f"{name}.json"), encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return None


# ---- one of them ------------------------------------------------------------------------------

def patched(path, which, folder):
    """A submission that is a patch, as the files of the regions: tried on stubs of this lab, and on all stubs."""
    text = labs.source_text(os.path.dirname(path), os.path.basename(path))
    for others in (False, True):
        for region in which.regions:
            there = os.path.join(folder, region.file)
            os.makedirs(os.path.dirname(there), exist_ok=True)
            shutil.copy(os.path.join(ROOT, region.file), there)
        lab.stub(folder, [one for one in labs.every() if others or one.number == which.number], region_files(which))
        words = [*(jail.words(write=[folder], cwd=folder) if jail.usable() else []), "patch", "-p1", "--batch", "--force",
                 "--no-backup-if-mismatch", "-d", folder]
        subprocess.run(["chown", "-R", str(jail.user()), folder], check=False, stderr=subprocess.DEVNULL)
        done = subprocess.run(words, input=text, text=True, errors="surrogateescape", timeout=60, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode == 0:
            return folder
    raise labs.Wrong(f"the patch does not fit: {done.stdout.strip().splitlines()[-1] if done.stdout.strip() else 'patch says nothing'}")


def region_files(which):
    """The files that hold the regions of a lab."""
    return sorted({region.file for region in which.regions})


def from_pieces(path, which, folder):
    """A submission that is regions alone, as the files that they stand in."""
    parts = labs.ANSWER.split(labs.source_text(os.path.dirname(path), os.path.basename(path)))
    given = dict(zip(parts[1::2], parts[2::2]))
    if not set(given) & {region.name for region in which.regions}:
        raise labs.Wrong("it holds no region: each begins behind a line /* REGION name */")
    for name in region_files(which):
        os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
        shutil.copy(os.path.join(ROOT, name), os.path.join(folder, name))
    labs.rewrite(folder, which, {region.name: given.get(region.name, region.stub) for region in which.regions})
    return folder


def answers(path, which, notes):
    """{region: text} of a submission of any kind."""
    with tempfile.TemporaryDirectory(prefix="submission-") as folder:
        os.chmod(folder, 0o755)
        if os.path.islink(path):
            raise labs.Wrong("it is a symbolic link: what counts is what lies there")
        if path.endswith((".patch", ".diff")) and not os.path.isdir(path):
            path = patched(path, which, folder)
        elif not os.path.isdir(path):
            path = from_pieces(path, which, folder)
        found = labs.answers_of(path, which, notes)
    if not found:
        raise labs.Wrong("nothing in it can be graded: " + "; ".join(notes))
    return found


def grade_lab(path, which, term, name, notes):
    """Outcomes of a lab."""
    drawn, word = variant.values(term, name), variant.who(term, name)
    which = which._replace(checks=[*which.checks, *(variant.fill(one, drawn, word) for one in labs.hidden(which))])
    with grade.tree_with(which, answers(path, which, notes), ROOT, drawn) as (tree, known):
        return grade.grade(tree, which, grade.tell, known)


def grade_bug(path, term, name):
    """Outcomes of `find the bug`."""
    clean = os.path.join(ROOT, "build", "host", "holdfast")
    with tempfile.TemporaryDirectory(prefix="bug-") as folder:
        os.chmod(folder, 0o755)
        planted = os.path.join(folder, "holdfast")
        one = bug.of(term, name)
        bug.plant(clean, one.name, planted)
        rows = bug.judge(one.name, path, clean, planted)
    return [grade.explained(check, reached, [text]) for check, reached, text in rows]


def digest(path, number, term, name):
    """What a result is of: the submission, the checks, the graders."""
    seen = hashlib.sha256(f"{number}\0{term}\0{name}\0".encode(errors="surrogateescape"))
    which = None if number == "bug" else labs.lab(number)
    parts = ["bug.toml"] if number == "bug" else region_files(which)
    tools = [os.path.join(ROOT, "tests", "tools", one) for one in GRADERS]
    checks = [os.path.join(ROOT, bug.TABLE)] if number == "bug" else \
        [os.path.join(which.folder, "checks.toml"), os.path.join(ROOT, "tests", "labs", f"{number:02}", "hidden.toml")]
    for one in [os.path.join(path, part) for part in parts] if os.path.isdir(path) else [path], checks, tools:
        for file in one:
            try:
                seen.update(labs.source_text(os.path.dirname(file), os.path.basename(file)).encode(errors="surrogateescape"))
            except (OSError, labs.Wrong) as err:
                seen.update(repr(err).encode())
    return seen.hexdigest()


def one(out, at):
    """Grades one submission, unless that is done; its result is there at the end, whatever happened."""
    work = read_plan(out)
    if not 1 <= at <= len(work["submissions"]):
        raise labs.Wrong(f"there is no submission {at}: there are {len(work['submissions'])}")
    name, path = work["submissions"][at - 1]
    what = digest(path, work["lab"], work["term"], name)
    before = result(out, name)
    if before and before["extra_data"]["of"] == what and not before["extra_data"].get("again"):
        return 0 if before["tests"] else 1
    began, notes, found, wrong = time.monotonic(), list(jail.missing()), [], None
    try:
        found = grade_bug(path, work["term"], name) if work["lab"] == "bug" else \
            grade_lab(path, labs.lab(work["lab"]), work["term"], name, notes)
    except (labs.Wrong, OSError, subprocess.SubprocessError) as err:
        wrong = str(err)
    text = grade.as_json(found, [wrong] if wrong else notes)
    text["execution_time"] = round(time.monotonic() - began, 1)
    text["extra_data"] = {"of": what, "student": name, "wrong": wrong,
                          "ideas": [[o.check.name, line[3:]] for o in found for line in o.text if line.startswith("=> ")]}
    write(os.path.join(out, "results", f"{name}.json"), json.dumps(text, indent=1))
    print(f"{name}: {text['score']} points" + (f"; {wrong}" if wrong else ""))
    return 1 if wrong else 0


# ---- all of them ------------------------------------------------------------------------------

def pages(out):
    """results.csv and class.html of what there is; value: whether that is all."""
    work = read_plan(out)
    rows = [(name, result(out, name)) for name, _ in work["submissions"]]
    title = "Find the bug" if work["lab"] == "bug" else f"Lab {work['lab']}, {labs.lab(work['lab']).title}"
    write(os.path.join(out, "results.csv"), class_page.table(rows))
    write(os.path.join(out, "class.html"), class_page.html(title, work["term"], rows, work["left"]))
    done = [text for _, text in rows if text and text["tests"]]
    print(f"{len(done)} of {len(rows)} graded: {out}/results.csv, class.html, results/NAME.json")
    return len(done) == len(rows)


def run(folder, number, jobs, term, out):
    """All of them here, by GNU parallel; what it shows is its estimate of when it will be done."""
    if not shutil.which("parallel"):
        raise labs.Wrong("GNU parallel is missing (Debian's package parallel); or give the jobs to Slurm: grade_job.sh")
    work = plan(folder, number, term, out)
    for line in jail.missing():
        print(f"grade-all: {line}", file=sys.stderr)
    numbers = "".join(f"{n}\n" for n in range(1, len(work["submissions"]) + 1))
    os.makedirs(os.path.join(out, "log"), exist_ok=True)
    # Its status counts failed jobs; what counts here is which results are there.
    subprocess.run(["parallel", "--will-cite", f"-j{jobs}", *(["--eta"] if sys.stderr.isatty() else []), "--timeout", str(LONGEST), "--joblog",
                           os.path.join(out, "joblog"), JOB, out, "{}", ">", os.path.join(out, "log", "{}.txt"), "2>&1"],
                          input=numbers, text=True, check=False, stdout=subprocess.DEVNULL)
    return 0 if pages(out) else 1


def main(argv):
    """See above."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("what", choices=("run", "plan", "one", "pages"))
    parser.add_argument("words", nargs="*")
    parser.add_argument("--jobs", default="1")
    parser.add_argument("--term", default="")
    parser.add_argument("--out", default="")
    try:
        args = parser.parse_args(argv[1:])
        where = [os.path.abspath(os.path.expanduser(word)) for word in args.words[:1]]
        if len(args.words) != {"run": 2, "plan": 2, "one": 2, "pages": 1}[args.what]:
            raise labs.Wrong(__doc__.split("\n\n")[1])
        jobs = asked.jobs("grade-all", args.jobs or "1")
        if args.what == "one":
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))  # parallel's, and Slurm's: the tree goes
            return one(where[0], int(args.words[1]))
        if args.what == "pages":
            return 0 if pages(where[0]) else 1
        if not args.words[0] or not args.words[1]:
            raise labs.Wrong("make grade-all DIR=submissions LAB=4 [JOBS=4] [TERM=2027s] [OUT=DIR]; LAB=bug: find the bug")
        out = os.path.abspath(os.path.expanduser(args.out or f"{where[0].rstrip('/')}-results"))
        if args.what == "run":
            return run(where[0], args.words[1], jobs, args.term, out)
        count = len(plan(where[0], args.words[1], args.term, out)["submissions"])
        print(f"sbatch --array=1-{count} tests/tools/grade_job.sh {out}\nmake grade-pages OUT={out}")
        return 0
    except (labs.Wrong, OSError, ValueError) as err:
        print(f"grade-all: {labs.cause(err)}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    explore_home.end_with("grade-all", lambda words: main(["", *words]), "what was graded is kept: the same command goes on")
