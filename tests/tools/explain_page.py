# SPDX-License-Identifier: MIT
"""A counterexample as one HTML page that needs nothing else: no network, no server, no other file.

Time goes down, a column for each thread. A step shows what happened, to what, and the line of source
that did it; behind the threads stands a column for each watched value, written where it changes.
What the page does (explain.js) is choose a step and show its source around it; without scripts
everything but that is there. Colours follow the reader's (explain.css), light or dark.
"""

import os
import textwrap
from html import escape
from typing import Any, Dict, List

import explain
from explain import Story

CONTEXT = 6  # lines of source on both sides of a step's
HERE = os.path.dirname(os.path.abspath(__file__))
KEYS = (("↓ j", "next step"), ("↑ k", "step before"), ("n", "next change of thread by force"),
        ("p", "the one before"), ("Home", "first step"), ("End or g", "the fatal step"),
        ("t", "light or dark"))


def asset(name: str) -> str:
    with open(os.path.join(HERE, name), encoding="utf-8") as file:
        return file.read()


class Sources:
    """Lines of source, read once a file."""

    def __init__(self, commit: str) -> None:
        self.commit, self.files = commit, {}

    def lines(self, path: str) -> List[str]:
        if path not in self.files:
            self.files[path] = explain.source(path, self.commit)
        return self.files[path]

    def line(self, step: Dict[str, Any]) -> str:
        lines = self.lines(step["file"])
        return lines[step["line"] - 1].strip() if 0 < step["line"] <= len(lines) else ""

    def around(self, step: Dict[str, Any]) -> str:
        """The lines around the step's as HTML, its own marked."""
        lines, at = self.lines(step["file"]), step["line"]
        if not 0 < at <= len(lines):
            return '<p class="none">This line is not in the tree that the page was made from.</p>'
        first, rows = max(1, at - CONTEXT), []
        shown = textwrap.dedent("\n".join(lines[first - 1:at + CONTEXT])).split("\n")
        for n, line in enumerate(shown, first):
            mark = ' class="at"' if n == at else ""
            rows.append(f'<li value="{n}"{mark}><code>{escape(line) or " "}</code></li>')
        return f'<ol class="source">{"".join(rows)}</ol>'


def place(step: Dict[str, Any]) -> str:
    where = f"{step['file']}:{step['line']}" if step["file"] else ""
    function = f"{step['function']}()" if step["function"] else ""
    return escape(" ".join(filter(None, (function, where))))


def cell(step: Dict[str, Any], sources: Sources) -> str:
    """What stands in the column of the step's thread."""
    value = f' <span class="value">{escape(step["value"])}</span>' if step["value"] else ""
    code = sources.line(step)
    return (f'<span class="event {escape(step["event"])}">{escape(step["event"])}</span> '
            f'<span class="object">{escape(step["object"])}</span>{value}'
            + (f'<span class="place">{place(step)}</span>' if place(step) else "")
            + (f"<code>{escape(code)}</code>" if code else ""))


def watched_at(story: Story, at: int) -> List[str]:
    """The watched values after step `at`, which stay until they change."""
    return [next((s["watch"][name] for s in reversed(story.steps[:at + 1]) if name in s["watch"]), "")
            for name in story.watched()]


def watch_cells(story: Story, at: int) -> str:
    """Those values as cells; what differs from the step before is marked."""
    cells = []
    for now, was in zip(watched_at(story, at), watched_at(story, at - 1)):
        changed = f' class="changed" title="was {escape(was) or "not known"}"' if now != was else ""
        cells.append(f"<td{changed}>{escape(now)}</td>")
    return "".join(cells)


def row(story: Story, at: int, sources: Sources) -> str:
    """One step."""
    step, last = story.steps[at], at == len(story.steps) - 1
    classes = "".join(" " + word for word, is_so in (
        ("preempts", step["preempts"]), ("fatal", last and bool(story.verdict["broken"]))) if is_so)
    cells = "".join(f'<td class="mine">{cell(step, sources)}</td>' if thread == step["thread"]
                    else "<td></td>" for thread in story.threads())
    return (f'<tr id="s{step["step"]}" class="step{classes}" tabindex="-1" data-at="{at}">'
            f'<th scope="row"><a href="#s{step["step"]}">{step["step"]}</a>'
            + ('<span class="forced" title="this thread goes on though the one before could have">'
               "preempts</span>" if step["preempts"] else "")
            + f"</th>{cells}{watch_cells(story, at)}</tr>")


def details(story: Story, at: int, sources: Sources) -> str:
    """What the pane shows while the step is chosen."""
    step = story.steps[at]
    facts = [("thread", step["thread"]), ("CPU", str(step["cpu"])), ("event", step["event"]),
             ("of", step["object"]), ("value", step["value"])]
    facts += [(escape(name), value) for name, value in zip(story.watched(), watched_at(story, at))]
    listed = "".join(f"<dt>{key}</dt><dd>{escape(value)}</dd>" for key, value in facts if value)
    return (f'<section class="detail" data-at="{at}" hidden><h2>step {step["step"]}</h2>'
            f'<dl>{listed}</dl><p class="place">{place(step)}</p>{sources.around(step)}</section>')


def head(story: Story) -> str:
    """The verdict, in words."""
    verdict, forced = story.verdict, sum(step["preempts"] for step in story.steps)
    rule = explain.invariants().get(verdict["broken"].split(" ")[0], "")
    said = f'<p class="rule">{escape(verdict["broken"])}: {escape(rule)}.</p>' if rule else ""
    title = f"{verdict['broken']} is broken" if verdict["broken"] else "A replay"
    facts = [("scenario", verdict["scenario"]), ("lifetime", verdict["lifetime"]),
             ("memory", verdict["model"]), ("token", verdict["token"])]
    listed = "".join(f"<div><dt>{key}</dt><dd>{escape(value)}</dd></div>"
                     for key, value in facts if value)
    return (f"<header><h1>{escape(title)}</h1>{said}"
            f'<p class="text">{escape(verdict["text"])}</p><dl class="facts">{listed}</dl>'
            f"<p>{len(story.steps)} steps of {len(story.threads())} threads, "
            f"{forced} change{'s' * (forced != 1)} of thread by force.</p></header>")


def table(story: Story, sources: Sources) -> str:
    threads = "".join(f'<th scope="col">{escape(name)}</th>' for name in story.threads())
    watched = "".join(f'<th scope="col" class="watch">{escape(name)}</th>' for name in story.watched())
    rows = "\n".join(row(story, at, sources) for at in range(len(story.steps)))
    columns, verdict = 1 + len(story.threads()) + len(story.watched()), story.verdict
    end = (f'<tfoot><tr><td class="end" colspan="{columns}">{escape(verdict["broken"])} is broken: '
           f'{escape(verdict["text"])}</td></tr></tfoot>') if verdict["broken"] else ""
    return (f'<table id="steps" aria-label="every step, time runs down"><thead><tr>'
            f'<th scope="col">step</th>{threads}{watched}</tr></thead>\n<tbody>{rows}</tbody>{end}</table>')


def page(story: Story, commit: str = "") -> str:
    """The whole file."""
    sources = Sources(commit)
    panes = "\n".join(details(story, at, sources) for at in range(len(story.steps)))
    keys = "".join(f"<li><kbd>{escape(key)}</kbd> {what}</li>" for key, what in KEYS)
    title = " ".join(filter(None, (story.verdict["scenario"], story.verdict["broken"])))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>
{asset("explain.css")}</style>
</head>
<body>
<button id="theme" type="button">light or dark</button>
{head(story)}
<main>
<div class="scroll">{table(story, sources)}</div>
<aside aria-live="polite" aria-label="the chosen step">{panes}
<ul class="keys">{keys}</ul></aside>
</main>
<script>
{asset("explain.js")}</script>
</body>
</html>"""
