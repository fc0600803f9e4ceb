# SPDX-License-Identifier: MIT
"""A graded class, as a table for programs and as one HTML page that needs nothing else.

The page says first which wrong ideas there are and who has each, then who reached what, check by check, with what
happened behind each name. It has no script and asks no network; colours follow the reader's.
"""

import csv
import io
from html import escape

STYLE = """
:root { color-scheme: light dark; --good: #2a7d4f; --bad: #b3372f; --line: #8886; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; }
table { border-collapse: collapse; } th, td { border-bottom: 1px solid var(--line); padding: .25rem .6rem; text-align: left;
  vertical-align: top; } td.n { text-align: right; font-variant-numeric: tabular-nums; }
th.c { writing-mode: vertical-rl; transform: rotate(180deg); font-weight: normal; padding: .6rem .1rem; }
td.c { text-align: center; padding: .25rem .1rem; } .good { color: var(--good); } .bad { color: var(--bad); font-weight: bold; }
.wide { overflow-x: auto; } pre { white-space: pre-wrap; margin: .3rem 0 1rem; font-size: 13px; }
"""


def checks(rows):
    """The names of the checks, in the order of the first result that has them."""
    found = {}
    for _, text in rows:
        for one in text["tests"] if text else ():
            found.setdefault(one["name"], one["max_score"])
    return found


def state(text):
    """How a submission ended, in words."""
    if not text:
        return "no result yet"
    return text["extra_data"]["wrong"] or "graded"


def table(rows):
    """results.csv: a line a student; a name that begins like a formula is one for nobody's spreadsheet."""
    known, out = checks(rows), io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["student", "score", "of", "state", "wrong ideas", *known])
    for name, text in rows:
        reached = {one["name"]: one["score"] for one in text["tests"]} if text else {}
        ideas = sorted({idea for _, idea in text["extra_data"]["ideas"]}) if text else []
        cells = [name, text["score"] if text else "", sum(known.values()), state(text), " | ".join(ideas),
                 *(reached.get(one, "") for one in known)]
        writer.writerow([f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t") else cell for cell in cells])
    return out.getvalue()


def ideas(rows):
    """[(sentence, {check}, [student])], the most frequent first."""
    found = {}
    for name, text in rows:
        for check, idea in text["extra_data"]["ideas"] if text else ():
            where, who = found.setdefault(idea, (set(), []))
            where.add(check)
            if name not in who:
                who.append(name)
    return sorted(((idea, where, who) for idea, (where, who) in found.items()), key=lambda row: (-len(row[2]), row[0]))


def idea_rows(rows):
    """The table of wrong ideas."""
    lines = [f'<tr><td class=n>{len(who)}</td><td>{escape(idea)}</td><td>{escape(", ".join(sorted(where)))}</td><td>'
             + ", ".join(f'<a href="#{escape(name, True)}">{escape(name)}</a>' for name in who) + "</td></tr>"
             for idea, where, who in ideas(rows)]
    return "<table><tr><th>who</th><th>idea</th><th>seen in</th><th>students</th></tr>" + "\n".join(lines) + "</table>" \
        if lines else "<p>No check failed with a sentence.</p>"


def cell(one, most):
    """One check of one student."""
    full = one is not None and one["score"] == most
    return f'<td class="c {"good" if full else "bad"}">{"&#10003;" if full else one["score"] if one else "&ndash;"}</td>'


def student_row(name, text, known):
    """One student in the table of all."""
    tests = {one["name"]: one for one in text["tests"]} if text else {}
    score = str(text["score"]) if text and text["tests"] else "&ndash;"
    return (f'<tr><td><a href="#{escape(name, True)}">{escape(name)}</a></td><td class=n>{score}</td>'
            + "".join(cell(tests.get(one), most) for one, most in known.items()) + "</tr>")


def student(name, text):
    """What happened to one, for who wants to know."""
    head = f'<h3 id="{escape(name, True)}">{escape(name)}</h3>'
    if not text or not text["tests"]:
        return f"{head}<p class=bad>{escape(state(text))}</p>"
    failed = [one for one in text["tests"] if one["score"] < one["max_score"]]
    notes = f'<p>{escape(text["output"])}</p>' if text["output"] else ""
    return head + notes + ("".join(
        f'<details><summary><span class=bad>{escape(one["name"])}</span> {one["score"]} of {one["max_score"]}</summary>'
        f'<pre>{escape(one["output"])}</pre></details>' for one in failed) or "<p class=good>Every check passed.</p>")


def html(title, term, rows, left):
    """class.html."""
    known = checks(rows)
    done = [text for _, text in rows if text and text["tests"]]
    most = sum(known.values())
    middle = sorted(text["score"] for text in done)[len(done) // 2] if done else 0
    heads = "".join(f"<th class=c>{escape(one)}</th>" for one in known)
    others = f"<p>Not taken for submissions: {escape(', '.join(left))}.</p>" if left else ""
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{escape(title)}: the class</title><style>{STYLE}</style></head><body>
<h1>{escape(title)}</h1>
<p>{escape(f"Term {term}. " if term else "")}{len(done)} of {len(rows)} submissions graded; {most} points, the median has {middle}.</p>{others}
<h2>Wrong ideas</h2>
<div class=wide>{idea_rows(rows)}</div>
<h2>Checks</h2>
<div class=wide><table><tr><th>student</th><th>points</th>{heads}</tr>
{chr(10).join(student_row(name, text, known) for name, text in rows)}
</table></div>
<h2>What happened</h2>
{chr(10).join(student(name, text) for name, text in rows)}
</body></html>
"""
