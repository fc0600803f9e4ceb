# SPDX-License-Identifier: MIT
"""`make explain` without a machine and without a browser: what stands in the page and in the trace.

What a reader sees of the page is looked at in a real browser: make explain-check.
"""

import html
import html.parser
import json
import os
import re
import subprocess
import sys

import pytest

import hf_make
from hf_config import ROOT

sys.path.insert(0, os.path.join(ROOT, "tests", "tools"))
import explain  # noqa: E402
import explain_page  # noqa: E402
import explain_trace  # noqa: E402

SAMPLE = os.path.join(ROOT, "tests", "explore", "sample.jsonl")
VERDICT = ('{"broken":"I1","text":"a < b","token":"t.1","scenario":"s","lifetime":"l","model":"sc"}')


def story():
    return explain.read_story(explain.lines_of(SAMPLE))


class Outline(html.parser.HTMLParser):
    """Every cell of the steps, as text, and every tag and attribute that was met."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.tags, self.attributes, self.open = [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in ("meta", "link", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, f"</{tag}> closes what is not open"

    def handle_data(self, data):
        if self.open and {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data


def test_a_row_for_each_step_and_a_column_for_each_thread():
    seen = Outline(explain_page.page(story()))
    assert seen.open == [] and seen.rows[0] == ["step"] + story().threads() + story().watched()
    assert len(seen.rows) == 1 + len(story().steps) + 1 and story().verdict["text"] in seen.rows[-1][0]
    for step, cells in zip(story().steps, seen.rows[1:]):
        assert cells[0].startswith(str(step["step"])) and ("preempts" in cells[0]) == step["preempts"]
        for name, cell in zip(story().threads(), cells[1:]):
            assert (step["event"] in cell and step["object"] in cell) if name == step["thread"] else not cell
        line = explain.source(step["file"])[step["line"] - 1].strip() if step["line"] else ""
        assert explain_page.Sources("").line(step) == line
        assert line in cells[1 + story().threads().index(step["thread"])]


def test_the_head_counts_and_the_fatal_step_is_marked():
    """Steps, threads and forced changes; the last step, and it alone; none, if nothing was broken."""
    page = explain_page.page(story())
    forced = sum(step["preempts"] for step in story().steps)
    assert forced != len(story().threads())
    assert f"<p>{len(story().steps)} steps of {len(story().threads())} threads, {forced} changes of thread by force." in page
    rows = re.findall(r'<tr id="s(\d+)" class="step([^"]*)"', page)
    assert [int(step) for step, classes in rows if "fatal" in classes] == [story().steps[-1]["step"]]
    assert [int(step) for step, classes in rows if "preempts" in classes] == [s["step"] for s in story().steps if s["preempts"]]
    safe = explain_page.page(explain.read_story(['{"step":0,"thread":"a","event":"load"}', VERDICT.replace("I1", "")]))
    assert "fatal" not in re.findall(r'<tr id="s0" class="([^"]*)"', safe)[0] and "is broken" not in safe


def test_watched_values_stay_until_they_change():
    lines = ['{"step":0,"thread":"a","event":"begin","watch":{"x":"1"}}',
             '{"step":1,"thread":"b","event":"load"}',
             '{"step":2,"thread":"a","event":"store","watch":{"x":"2","y":"0"}}', VERDICT]
    page = explain_page.page(explain.read_story(lines))
    rows = Outline(page).rows
    assert rows[0] == ["step", "a", "b", "x", "y"]
    assert [row[3:] for row in rows[1:-1]] == [["1", ""], ["1", ""], ["2", "0"]]
    assert page.count('class="changed"') == 3 and 'title="was 1"' in page


def test_what_a_machine_says_of_an_event_is_made_readable():
    """No value where there is none, no place that is no memory, a variable by its name."""
    line = '{"step":%d,"thread":"a","event":"%s","object":"%s","value":"0x7","function":"?","file":"?","line":0}'
    steps = explain.read_story([line % (0, "load", "0xffffffff80001008"), line % (1, "fence", "0xe08"),
                                line % (2, "store", "0xffff888000001000"), line % (3, "lock", "the lock"),
                                line % (4, "rmw", "0xffffffff80001010"), line % (5, "drain", "list"), VERDICT]).steps
    explain.named(steps, [(0xffffffff80001000, 16, "counts"), (0xffffffff80001020, 8, "other")])
    assert [(s["object"], s["value"], s["function"], s["file"]) for s in steps] == [
        ("counts+0x8", "0x7", "", ""), ("", "", "", ""), ("0xffff888000001000", "0x7", "", ""),
        ("the lock", "", "", ""), ("0xffffffff80001010", "0x7", "", ""), ("list", "0x7", "", "")]


def test_the_page_needs_nothing_else():
    """No address, no file: what it loads is in it, and it forbids itself the rest."""
    page = explain_page.page(story())
    seen = Outline(page)
    assert not {"link", "img", "iframe", "object"} & set(seen.tags)
    assert not [value for name, value in seen.attributes if name == "src"]
    assert all(value.startswith("#") for name, value in seen.attributes if name == "href")
    assert "http://" not in page and "https://" not in page and "@import" not in page
    assert "default-src 'none'" in page


def test_the_verdict_is_in_words():
    """The rule's own sentence, as `check` has it, and what the scenario said."""
    page = explain_page.page(story())
    sentence = explain.invariants()["I1"]
    assert len(explain.invariants()) == 7 and "handed out only when" in sentence
    assert html.escape(sentence) in page and html.escape(story().verdict["text"]) in page
    assert story().verdict["token"] in page


def test_text_of_the_machine_is_no_markup():
    step = ('{"step":0,"thread":"<b>","event":"load","object":"</td><script>","value":"\\"&",'
            '"file":"%s","line":1}' % os.path.relpath("/etc/passwd", ROOT))
    page = explain_page.page(explain.read_story([step, VERDICT]))
    assert "<b>" not in page and "</td><script>" not in page and "a &lt; b" in page
    assert "root:x:" not in page, "only files of the tree are shown"
    assert "not in the tree" in page


@pytest.mark.parametrize("lines, said", [
    ([], "no line of a replay"),
    ([VERDICT], "line 1: a verdict without a step"),
    (['{"step":0,"thread":"a","event":"load"}'], "no verdict"),
    (['{"step":0,"thread":"a"}', VERDICT], "line 1: a step has no event"),
    (['{"step":"0","thread":"a","event":"load"}', VERDICT], "a step has no step, or not one of type int"),
    (['{"step":0,"thread":"a","event":"load","line":"7"}', VERDICT], "line is not of type int"),
    (['{"step":0,"thread":"a",', VERDICT], "line 1: not JSON"),
    (['{"step":1,"thread":"a","event":"load"}', '{"step":1,"thread":"a","event":"load"}', VERDICT],
     "line 2: step 1 comes behind a later one"),
])
def test_what_is_no_replay_is_refused(lines, said):
    with pytest.raises(explain.ExplainError) as error:
        explain.read_story(lines)
    assert said in str(error.value)


def test_the_trace_has_every_step_once():
    trace = explain_trace.trace(story())
    events = trace["traceEvents"]
    assert json.loads(json.dumps(trace)) == trace
    tracks = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}
    assert list(tracks.values()) == story().threads()
    slices = [e for e in events if e["ph"] == "X" and e["cat"] != "asleep"]
    assert [(e["ts"], tracks[e["tid"]]) for e in slices] == [
        (s["step"], s["thread"]) for s in story().steps]
    flows = [e["id"] for e in events if e["ph"] == "s"]
    assert flows == [s["step"] for s in story().steps if s["preempts"]]
    assert flows == [e["id"] for e in events if e["ph"] == "f"]
    # From the step before, on its track, to the one that preempts, on its own.
    arrows = [[(e["ts"], tracks[e["tid"]]) for e in events if e["ph"] == end] for end in "sf"]
    pairs = [(was, step) for was, step in zip(story().steps, story().steps[1:]) if step["preempts"]]
    assert arrows == [[(was["step"], was["thread"]) for was, _ in pairs], [(step["step"], step["thread"]) for _, step in pairs]]
    assert [e["args"]["sort_index"] for e in events if e["name"] == "thread_sort_index"] == list(tracks)
    assert [e["args"].get("source") for e in slices] == [
        f"{s['file']}:{s['line']}" if s["file"] else None for s in story().steps]
    ends = [e for e in events if e["ph"] == "i"]
    assert len(ends) == 1 and ends[0]["name"] == "I1 is broken" and ends[0]["ts"] == story().steps[-1]["step"] + 1
    refs = [e["args"]["value"] for e in events if e["ph"] == "C" and e["name"] == "page.refs"]
    assert refs == [1, 0, 1, 0]


def test_slices_of_one_track_lie_side_by_side():
    """A sleep ends where the thread goes on; the viewer nests what overlaps."""
    lines = [f'{{"step":{n},"thread":"{t}","event":"{e}"}}' for n, t, e in (
        (0, "a", "sleep"), (1, "b", "store"), (2, "b", "wake"), (3, "a", "load"), (4, "b", "sleep"))]
    events = explain_trace.trace(explain.read_story(lines + [VERDICT]))["traceEvents"]
    for tid in (1, 2):
        mine = sorted((e["ts"], e["dur"]) for e in events if e["ph"] == "X" and e["tid"] == tid)
        assert all(a[0] + a[1] <= b[0] for a, b in zip(mine, mine[1:])), mine
    assert [(e["ts"], e["dur"]) for e in events if e.get("cat") == "asleep"] == [(1, 2)]


def test_the_command(tmp_path):
    """From a recording: two files, their names on stdout; a wrong one: a sentence, and no file."""
    tool = os.path.join(ROOT, "tests", "tools", "explain.py")
    done = subprocess.run([sys.executable, tool, "-o", str(tmp_path), "-i", SAMPLE],
                          capture_output=True, text=True, check=False)
    names = [str(tmp_path / ("explain-" + story().verdict["scenario"] + end))
             for end in (".html", ".trace.json")]
    assert (done.returncode, done.stdout.split()) == (0, names), done.stderr
    assert all(os.path.getsize(name) > 1000 for name in names)
    for args, said, status in ((["-i", str(tmp_path / "none")], "No such file", 1),
                               (["-i", ""], "of what?", 2), (["a b"], "'a b' is no token", 1)):
        done = subprocess.run([sys.executable, tool, "-o", str(tmp_path / "new"), *args],
                              capture_output=True, text=True, check=False)
        assert done.returncode == status and said in done.stderr, done
    assert not (tmp_path / "new").exists()
    for variable, value, said in (("COMMIT", "no-such", "COMMIT=no-such is no commit of this tree"),
                                  ("MUSEUM", "no-such", "museum: unknown exhibit 'no-such'")):
        hf_make.make("host")
        args = ["-i", SAMPLE] if variable == "COMMIT" else ["litmus.message:-:sc:a"]
        done = subprocess.run([sys.executable, tool, "-o", str(tmp_path / "new"), *args], env={**os.environ, variable: value},
                              capture_output=True, text=True, check=False)
        assert done.returncode == 1 and said in done.stderr and not (tmp_path / "new").exists(), done
    (tmp_path / "file").touch()
    done = subprocess.run([sys.executable, tool, "-o", str(tmp_path / "file"), "-i", SAMPLE],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stderr == f"explain: {tmp_path / 'file'}: File exists\n", done


def test_an_older_tree(tmp_path):
    """COMMIT=… shows the source as it was then; what was not there then is not shown."""
    first = subprocess.run(["git", "-C", ROOT, "rev-list", "-1", "HEAD"], capture_output=True, text=True,
                           check=False).stdout.strip()
    if not re.fullmatch(r"[0-9a-f]{40}", first):
        pytest.skip("this tree has no history")
    assert explain.source("linker.ld", first) and not explain.source("none.c", first)
    assert not explain.source("linker.ld", "no-such-commit")
