# SPDX-License-Identifier: MIT
"""`make mutants` without a machine: how a serial line is judged, and that its page adds up."""

import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "tools"))

import museum  # noqa: E402
import mutants_report  # noqa: E402
import mutants_source  # noqa: E402
import mutants_watch  # noqa: E402

REPORT = """report: what every CPU and thread does, {0}000 ms after boot
report: CPU 0 runs thread 2 'idle/0', interrupts on, idle
report: thread 3 'reaper' sleeps for {0}000 ms: waits for a dead thread; woken by an exit
report: thread 9 'op' sleeps for {1}000 ms: waits for a locked index entry; woken by entry_unlock()
report: end
"""
SAFE = "race C-1 lifetime=unaware: safe\n"


def judged(command: str, *lines: str):
    """What is said of a machine that runs one command and prints these lines, then ends."""
    process = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    watch = mutants_watch.Watch(process, [command], {command: 1}, "/nowhere")
    process.stdin.write((f"> {command}\n" + "".join(lines)).encode())
    process.stdin.close()
    try:
        return watch.watch()
    finally:
        process.stdout.close()
        process.wait()


def test_a_line_is_judged():
    out = judged("selftest a.b", "ok 1 a.b\n", "[status 0]\n")
    assert out.verdict == "passed" and out.passed == ["selftest a.b"]
    out = judged("selftest a.b", "# x.c:1: expected 2: 3\n", "not ok 1 a.b\n", "[status 5]\n")
    assert (out.verdict, out.by) == ("killed", "selftest a.b: x.c:1: expected 2: 3")
    out = judged("selftest a.b", "PANIC: expected: p\n")
    assert (out.verdict, out.by) == ("killed", "selftest a.b: PANIC: expected: p")
    out = judged("selftest a.b", "ok 1 a.b\n")
    assert (out.verdict, out.by) == ("killed", "selftest a.b: the machine ended early")


def test_a_race_names_its_cell():
    broken = SAFE.replace("C-1", "C-2").replace("safe", "HUNG I4 T2 waits")
    out = judged("race all", SAFE, broken, "  UNEXPECTED: the table says for C-2: safe\n")
    assert (out.verdict, out.by.split(":")[0]) == ("killed", "race C-2 lifetime=unaware")
    out = judged("race all", SAFE, "PANIC: expected: p\n")
    assert out.by == "race all, after race C-1 lifetime=unaware: PANIC: expected: p"
    assert judged("race all", SAFE, broken, "[status 0]\n").verdict == "passed"


def test_a_hang_is_told_by_the_machine_itself():
    """By its watchdog, or by 60 s of its own time between two reports; not by less."""
    out = judged("selftest a.b", "watchdog: thread 9 'op' has run on CPU 0 for 12 s\n")
    assert out.by == "selftest a.b: hangs: watchdog: thread 9 'op' has run on CPU 0 for 12 s"
    later = "".join(f"# {line}\n" for line in REPORT.format(200, 110).splitlines())
    out = judged("selftest a.b", REPORT.format(100, 10), later)
    assert (out.verdict, out.by) == (
        "killed", "selftest a.b: hangs: 'op' sleeps for 110 s: waits for a locked index entry; "
        "woken by entry_unlock()")
    slow = (REPORT.format(100, 10), REPORT.format(150, 60), "ok 1 a.b\n", "[status 0]\n")
    assert judged("selftest a.b", *slow).verdict == "passed"


def test_a_name_survives_a_move():
    text = "int f(int a)\n{\n\tif (a < 1)\n\t\treturn 0;\n\treturn 1;\n}\n"
    names = [[m.name for m in mutants_source.mutants_of(file, text)]
             for file in ("mm/gup.c", "mm/pin/gup.c", "dax/lifetime/table.c", "dax/d/lifetime/table.c")]
    assert names[0] and names[0] == names[1] and names[0][0].startswith("mm/gup.c:f:")
    assert names[2] == names[3] and names[2][0].startswith("dax/lifetime/table.c:f:")


def test_the_page_adds_up():
    """Chosen is what was tried, every survivor is explained, and every line is counted."""
    with open(mutants_report.PAGE, encoding="utf-8") as stream:
        page = stream.read()
    chosen, left, mutants, killed, survived, gone, same, none = (int(n) for n in re.search(
        r"chooses (\d+) changes of the tree as it is; (\d+) of them were not tried yet\. (\d+) are mutants.*?: "
        r"(\d+) killed .*?, (\d+) survived\. (\d+) of them are of places .*? (\d+) more made the same code, "
        r"(\d+) did not compile", page, re.S).groups())
    assert chosen == left + mutants - gone + same + none and mutants == killed + survived
    rows = re.findall(r"^\| \w+:\d+ \| (\w+) \w+ \|", page, re.M)
    assert len(rows) == mutants and set(rows) <= set(mutants_source.KINDS)
    assert page.count(" † | ") == gone
    assert len(re.findall(r" \| survived(?: †)? \| \*\*(?:equivalent|explorer|text|guard)\*\* ", page)) == survived


def test_what_is_left_to_the_explorer_is_an_exhibit():
    """What only a rare order of events shows is a switch of the museum, which names the same scenario."""
    switches = museum.labels("MUSEUM_EXPLORED")
    left = [reason for kind, reason in mutants_report.explanations().values() if kind == "explorer"]
    assert len(left) >= 4
    for reason in left:
        name, scenario = re.search(r"It is the exhibit (\S+), which `explore ([^`]+)` finds\.", reason).groups()
        assert f"found by explore {scenario}" in switches[name], reason


def test_the_page_comes_whole_from_its_generator():
    """Read and written again it is the same, so that nothing in it was typed."""
    with open(mutants_report.PAGE, encoding="utf-8") as stream:
        page = stream.read()
    chosen = int(re.search(r"chooses (\d+) changes", page)[1])
    assert mutants_report.page(chosen, mutants_report.of_page(page)) == page


def test_files_of_the_page_and_of_the_reasons_are_there():
    """A short name leads to the file with that function; what the page calls a file is one."""
    for name in mutants_report.explanations():
        file, function = name.split(":")[:2]
        assert os.path.exists(os.path.join(ROOT, mutants_report.place(file, [name]))), (file, function)
    with open(mutants_report.PAGE, encoding="utf-8") as stream:
        files = [file for line in re.findall(r"^## (.+)$", stream.read(), re.M) for file in line.split(", ")]
    assert len(files) > 20 and [f for f in files if not os.path.exists(os.path.join(ROOT, f))] == []
    assert mutants_report.place("mm/page.c", ["mm/page.c:page_put:swap:0"]) == "mm/page/page.c"
    assert mutants_report.place("mm/nowhere.c", ["mm/nowhere.c:f:swap:0"]) == "mm/nowhere.c"
