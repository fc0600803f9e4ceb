# SPDX-License-Identifier: MIT
"""Labs: marked regions of the real sources, what replaces them, and what is checked.

A region stands between two comments, and stays between them in a student's tree too:

    /* LAB 04 fast-one: what it is for, in a few words */
    …
    /* END */

labs/04-NAME/checks.toml has for each region its file and the stub that takes its place, and a table
for each check: its name, its points, what it asks, the line that shows it (`run`), and for wrong
answers that were foreseen what they mean (`because`: a pattern in the output, and a sentence). A check
that also holds where nothing was written `needs` another one by name, and counts when that has passed.
What a mistake leads to wherever it is met stands once, as `because` at the head: it comes before each check's own.
"""

import collections
import glob
import os
import re
import stat
import tomllib

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MARK = re.compile(r"^[ \t]*/\* LAB (\d\d) ([a-z0-9-]+): [^\n]* \*/[ \t]*\n", re.M)
END = re.compile(r"^[ \t]*/\* END \*/[ \t]*\n", re.M)
KINDS = ("build", "selftest", "race", "explore", "kernel", "bench", "host", "ask", "shell", "bug")

# What an answer of an `ask` has to be before the machine is asked: half of one would be in what it prints as well.
FORMS = {"verdict": (re.compile(r"safe$|(BROKEN|HUNG) I\d\b", re.I), "`safe`, or `BROKEN` or `HUNG` and the rule, as in `HUNG I4`"),
         "pair": (re.compile(r"\D*\d+\D+\d+\D*$"), "two numbers, as in `3 7`"),
         "number": (re.compile(r"\d+$"), "one number")}

Region = collections.namedtuple("Region", "name file stub")
Check = collections.namedtuple("Check", "name points asks run expect because atmost needs pick hidden form",
                               defaults=((), False, None))
IN_QEMU = ("kernel", "bench")  # kinds that want the kernel built, which takes longer than what the others want
Lab = collections.namedtuple("Lab", "number title folder regions checks because", defaults=((),))


class Wrong(Exception):
    """What is wrong with a lab, a tree or a call, in a sentence."""


def reasons(table):
    """[(pattern, sentence)] of a check, or of a lab."""
    return [(re.compile(b["when"], re.M), " ".join(b["says"].split())) for b in table.get("because", [])]


def check(table, always=()):
    """One [[check]]; `run` begins with its kind. always: what its lab has for all checks."""
    known = {"name", "points", "asks", "run", "expect", "because", "atmost", "needs", "pick", "form"}
    if set(table) - known or {"name", "points", "asks", "run"} - set(table):
        raise Wrong(f"a check has {sorted(known)}, the first four always: {table}")
    if table["run"].split()[0] not in KINDS:
        raise Wrong(f"check {table['name']}: run begins with one of {', '.join(KINDS)}")
    if table.get("form") not in (None, *FORMS):
        raise Wrong(f"check {table['name']}: form is one of {', '.join(FORMS)}")
    because = [*always, *reasons(table)]
    return Check(table["name"], table["points"], " ".join(table["asks"].split()), table["run"],
                 table.get("expect"), because, table.get("atmost"), table.get("needs", []), tuple(table.get("pick", ())),
                 form=table.get("form"))


def read(folder):
    """The lab of one folder, labs/NN-NAME."""
    path = os.path.join(folder, "checks.toml")
    try:
        with open(path, "rb") as source:
            text = tomllib.load(source)
    except tomllib.TOMLDecodeError as err:
        raise Wrong(f"{path}: {err}") from err
    regions = [Region(r["name"], r["file"], r["stub"]) for r in text["region"]]
    always = reasons(text)
    checks = [check(c, always) for c in text["check"]]
    for at, one in enumerate(checks):
        before = [other.name for other in checks[:at]]
        if one.name in before or set(one.needs) - set(before):
            raise Wrong(f"{path}: check {one.name} is there twice, or needs what does not come before it")
    return Lab(int(os.path.basename(folder)[:2]), text["title"], folder, regions, checks, always)


def hidden(which, root=ROOT):
    """The checks of tests/labs/NN/hidden.toml, which no handout has; none, where there is no such file."""
    path = os.path.join(root, "tests", "labs", f"{which.number:02}", "hidden.toml")
    if not os.path.exists(path):
        return []
    with open(path, "rb") as source:
        found = [check(one, which.because)._replace(hidden=True) for one in tomllib.load(source)["check"]]
    known = [one.name for one in which.checks]
    for one in found:
        if one.name in known or set(one.needs) - set(known):
            raise Wrong(f"{path}: check {one.name} is there twice, or needs what is not there")
        known.append(one.name)
    return found


def table(which):
    """What is checked, as README.md has it between <!-- checks --> and <!-- end -->."""
    rows = [f"| {c.name} | {c.points} | {c.asks} | `{c.run}` |" for c in which.checks]
    return "\n".join([f"{len(rows)} checks, {sum(c.points for c in which.checks)} points:", "",
                      "| check | points | what is asked | what is run |", "| --- | --: | --- | --- |", *rows])


def every(root=ROOT):
    """All labs of a tree, by number."""
    return [read(folder) for folder in sorted(glob.glob(os.path.join(root, "labs", "[0-9][0-9]-*")))]


def lab(number, root=ROOT):
    """The lab of that number, which may be a word that somebody typed."""
    there = {one.number: one for one in every(root)}
    if not str(number).isdecimal() or int(number) not in there:
        raise Wrong(f"LAB={number}: there is no such lab; there are {', '.join(map(str, there))}")
    return there[int(number)]


def span(text, number, name):
    """Where the inside of a region begins and ends."""
    found = [m for m in MARK.finditer(text) if int(m.group(1)) == number and m.group(2) == name]
    end = END.search(text, found[0].end()) if found else None
    if len(found) != 1 or not end:
        raise Wrong(f"region '{name}' of lab {number} is there {len(found)} time(s)"
                    + ("" if end or not found else ", and has no /* END */")
                    + f"; it stands between /* LAB {number:02} {name}: … */ and /* END */, each on a line of its own")
    if MARK.search(text, found[0].end(), end.start()):
        raise Wrong(f"region '{name}' of lab {number} has no /* END */ of its own")
    return found[0].end(), end.start()


def inside(text, number, name):
    """What stands in a region."""
    begin, end = span(text, number, name)
    return text[begin:end]


def lines(root, which):
    """[(file, first line, last line)]: where the answers stand in a tree."""
    found = []
    for region in which.regions:
        text = source_text(root, region.file)
        begin, end = span(text, which.number, region.name)
        found.append((region.file, text.count("\n", 0, begin) + 1, text.count("\n", 0, end)))
    return found


def put(text, number, name, new):
    """The text with something else in a region."""
    begin, end = span(text, number, name)
    return text[:begin] + new.strip("\n") + "\n" + text[end:]


# A region is C between braces that it closes itself. Directives and assembly would reach further than the
# region: what stands behind it turned off, files of the machine included, calls of the host. A pragma about the loop
# behind it does not.
NO_CODE = re.compile(r'//[^\n]*|/\*.*?(?:\*/|\Z)|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
FAR = re.compile(r"^[ \t]*(#(?![ \t]*pragma[ \t]+GCC[ \t]+unroll\b)|%:)|\b(asm|__asm|__asm__|_Pragma)\b", re.M)


def refused(text):
    """Why a region is not taken into another tree, in words; None if it is."""
    code = NO_CODE.sub(" ", re.sub(r"\\[ \t]*\n", "", text))
    far = FAR.search(code)
    if far:
        return f"'{far[0].strip()}' reaches beyond the region: write plain C there, without directives and assembly"
    depth = 0
    for brace in re.findall(r"[{}]|<%|%>", code):
        depth += 1 if brace in "{<%" else -1
        if depth < 0:
            break
    return "its braces do not match: it ends something that it did not begin, or the other way round" if depth else None


def source_text(root, name):
    """A file of a tree, which may be anybody's: not a link, a device or a pipe to somewhere else. Bytes that
    are no UTF-8 stay what they are."""
    path, base = os.path.join(root, name), os.path.realpath(root)
    if os.path.realpath(path) != os.path.join(base, name):
        raise Wrong(f"{name} is a symbolic link, or lies behind one: what counts is a file")
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    with open(file, encoding="utf-8", errors="surrogateescape") as source:
        about = os.fstat(file)
        if not stat.S_ISREG(about.st_mode) or about.st_size > 1 << 20:
            raise Wrong(f"{name} is not a file of at most 1 MiB")
        return source.read()


def rewrite(root, which, answers):
    """Puts each of {region: text} into its file below root."""
    for region in which.regions:
        if region.name not in answers:
            continue
        path = os.path.join(root, region.file)
        with open(path, encoding="utf-8", errors="surrogateescape") as source:
            text = put(source.read(), which.number, region.name, answers[region.name])
        with open(path, "w", encoding="utf-8", errors="surrogateescape") as source:
            source.write(text)


def cause(err):
    """An exception in words: of a file its name and what is the matter, without the system's number for it."""
    if isinstance(err, OSError) and err.filename and err.strerror:  # of a copy it is the second one
        return f"{err.filename2 or err.filename}: {err.strerror}"
    return str(err)


AS_STUB = ": graded as if nothing were written there"


def answers_of(root, which, notes=None):
    """{region: what stands there} in a tree: somebody's answer, and nothing else of that tree. With a list for
    notes, a region that cannot be taken is told there and left out; if there is none at all, that is wrong."""
    found = {}
    for region in which.regions:
        try:
            text = inside(source_text(root, region.file), which.number, region.name)
            why = refused(text) if notes is not None else None
            if why:
                raise Wrong(f"region '{region.name}': {why}")
            found[region.name] = text
        except (Wrong, OSError) as err:
            if notes is None:
                raise err if isinstance(err, Wrong) else Wrong(f"{region.file} cannot be read: {err}") from err
            if cause(err) + AS_STUB not in notes:
                notes.append(cause(err) + AS_STUB)
    return found


VALUE = re.compile(r"^[ \t]*([a-z0-9.-]+):[ \t]*(\S.*?)[ \t\r]*$", re.M)


def values(root, which):
    """{name: value}: what was answered in the regions of files of answers; the last one of a name counts. `?` is none."""
    texts = [inside(source_text(root, r.file), which.number, r.name) for r in which.regions if r.file.endswith(".txt")]
    return {name: value for text in texts for name, value in VALUE.findall(text) if value != "?"}


ANSWER = re.compile(r"^/\* REGION ([a-z0-9-]+) \*/\n", re.M)


def answer(path):
    """({region: text}, comment) of a file of tests/labs: an answer, and what it is about."""
    with open(path, encoding="utf-8") as source:
        text = source.read()
    parts = ANSWER.split(text)
    return dict(zip(parts[1::2], parts[2::2])), parts[0]
