# SPDX-License-Identifier: MIT
"""`make explain-check`: the page of a counterexample, looked at in a real browser.

tests/qemu/test_explain.py says what stands in the page; here is what a reader sees of it: rendered,
from disk, in light and dark, by the keyboard alone, and without the network.
"""

import os
import re
import struct
import sys
import zlib

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path[:0] = [os.path.join(ROOT, "tests", "tools"), os.path.dirname(os.path.abspath(__file__))]
import explain  # noqa: E402
import explain_page  # noqa: E402
from devtools import Browser  # noqa: E402

SAMPLE = os.path.join(ROOT, "tests", "explore", "sample.jsonl")
STORY = explain.read_story(explain.lines_of(SAMPLE))
LAST = len(STORY.steps) - 1
PICTURES = os.path.join(ROOT, "build", "explain-check")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    one = Browser(str(tmp_path_factory.mktemp("profile")))
    yield one
    one.close()


@pytest.fixture
def page(browser, tmp_path):
    """The browser with the sample's page open, as a file, 1280 by 900."""
    os.makedirs(PICTURES, exist_ok=True)
    html = [name for name in explain.write(STORY, str(tmp_path)) if name.endswith(".html")][0]
    browser.requests.clear()
    browser.errors.clear()
    browser.size(1280, 900)
    browser.scheme("light")
    browser.open("file://" + html)
    return browser


CHOSEN = "document.querySelector('tr.chosen').dataset.at"


def pixels(png: bytes):
    """Rows of (r, g, b) of an 8-bit RGB or RGBA image without interlace."""
    size, kind, data = None, None, b""
    at = 8
    while at < len(png):
        length, name = struct.unpack(">I4s", png[at:at + 8])
        body = png[at + 8:at + 8 + length]
        if name == b"IHDR":
            size, kind = struct.unpack(">II", body[:8]), body[9]
        data += body if name == b"IDAT" else b""
        at += 12 + length
    step = {2: 3, 6: 4}[kind]
    raw, before, rows = zlib.decompress(data), bytearray(size[0] * step), []
    for y in range(size[1]):
        start = y * (size[0] * step + 1)
        before = unfiltered(raw[start], bytearray(raw[start + 1:start + 1 + size[0] * step]), before, step)
        rows.append([tuple(before[x:x + 3]) for x in range(0, len(before), step)])
    return rows


def unfiltered(kind, row, above, step):
    """One row of a PNG without its filter."""
    for x, byte in enumerate(row):
        left = row[x - step] if x >= step else 0
        corner = above[x - step] if x >= step else 0
        near = left + above[x] - corner
        guess = (0, left, above[x], (left + above[x]) // 2, min(
            (left, above[x], corner), key=lambda v: abs(near - v)))[kind]
        row[x] = (byte + guess) & 255
    return row


def test_what_is_rendered(page):
    """A column for each thread, the rule in words, a step's source beside it, each change marked."""
    head = page.value("[...document.querySelectorAll('thead th')].map(h => h.innerText)")
    assert head == ["step"] + STORY.threads() + STORY.watched()
    assert page.value("document.querySelectorAll('tr.step').length") == LAST + 1
    assert page.value("document.querySelector('h1').innerText") == "I1 is broken"
    assert "handed out only when nobody references its page" in page.value(
        "document.querySelector('.rule').innerText")
    for at, step in enumerate(STORY.steps):
        cells = page.value(f"[...document.querySelectorAll('tr.step')[{at}].cells].map(c => c.innerText)")
        mine = cells[1 + STORY.threads().index(step["thread"])]
        assert step["event"] in mine and step["object"] in mine
        assert all(not cells[1 + n] for n, name in enumerate(STORY.threads()) if name != step["thread"])
    assert page.value("document.querySelector('thead').offsetHeight") < 50, "a name is one line"
    width = page.value("document.documentElement.scrollWidth")
    assert width <= 1280, "nothing runs out of the window"
    assert page.errors == []


def test_nothing_is_asked_of_anybody(page):
    """One request, for the file itself; and the page forbids itself any other."""
    assert len(page.requests) == 1 and page.requests[0].startswith("file://")
    refused = page.value("fetch('https://example.org/').then(() => 'came', () => 'refused')")
    assert refused == "refused"
    assert [text for text in page.errors if "Content Security Policy" in text], page.errors


def test_the_keyboard_does_everything(page):
    """The fatal step is chosen at first; arrows, letters, Home and End move, the focus goes along."""
    assert page.value(CHOSEN) == str(LAST)
    forced = [at for at, step in enumerate(STORY.steps) if step["preempts"]]
    for key, text, expected in (
            ("Home", None, 0), ("ArrowDown", None, 1), ("j", "j", 2), ("ArrowUp", None, 1),
            ("k", "k", 0), ("k", "k", 0), ("n", "n", forced[0]), ("n", "n", forced[1]),
            ("n", "n", forced[1]), ("p", "p", forced[0]), ("End", None, LAST), ("j", "j", LAST),
            ("Home", None, 0), ("g", "g", LAST)):
        page.press(key, text)
        assert page.value(CHOSEN) == str(expected), key
        assert page.value("document.activeElement.dataset.at") == str(expected), key
        shown = page.value("[...document.querySelectorAll('section.detail')].filter("
                           "s => s.offsetHeight > 0).map(s => s.dataset.at)")
        assert shown == [str(expected)], key
        above, below = page.value(
            "[document.querySelector('thead th').getBoundingClientRect().bottom - 1, innerHeight]")
        top, bottom = page.value("(r => [r.top, r.bottom])("
                                 "document.querySelector('tr.chosen').getBoundingClientRect())")
        assert 0 < above <= top < bottom <= below, f"{key}: the step is seen below its thread's name"


def test_the_source_around_a_step(page):
    """The pane marks the line of the step, as it is in the tree."""
    at = next(n for n, step in enumerate(STORY.steps) if explain_page.Sources("").line(step))
    page.value(f"document.querySelectorAll('tr.step')[{at}].click()")
    step = STORY.steps[at]
    line = page.value("document.querySelector('section.detail:not([hidden]) li.at').innerText")
    assert line.strip() == explain.source(step["file"])[step["line"] - 1].strip()
    assert page.value("(r => r.bottom <= innerHeight)(document.querySelector("
                      "'section.detail:not([hidden]) li.at').getBoundingClientRect())")
    assert page.value("document.querySelector('section.detail:not([hidden]) li.at').value") == step["line"]


def brightness(rows):
    middle = [rgb for row in rows[::20] for rgb in row[::20]]
    return sum(sum(rgb) for rgb in middle) / (3 * len(middle))


def test_light_and_dark(page):
    """The reader's system decides, t decides otherwise; text stands out in both."""
    seen = {}
    for scheme in ("light", "dark"):
        page.scheme(scheme)
        seen[scheme] = brightness(pixels(page.picture(os.path.join(PICTURES, scheme + ".png"))))
        for what in ("body", "td.end", "tr.chosen td.mine code", "td.changed", ".place", "h1"):
            assert contrast(page, what) >= 4.5, (scheme, what)
    assert seen["light"] > 180 > 80 > seen["dark"], seen
    page.press("t", "t")
    assert brightness(pixels(page.picture(os.path.join(PICTURES, "toggled.png")))) > 180
    page.value("document.getElementById('theme').click()")
    assert brightness(pixels(page.picture(os.path.join(PICTURES, "toggled2.png")))) < 80


def contrast(page, selector):
    """The contrast of an element's text with what it stands on, as WCAG 2 defines it."""
    colors = page.value(
        f"(e => {{ const ink = getComputedStyle(e).color; let b = 'rgba(0, 0, 0, 0)';"
        "while (e && b === 'rgba(0, 0, 0, 0)') { b = getComputedStyle(e).backgroundColor;"
        f"e = e.parentElement }} return [ink, b] }})(document.querySelector({selector!r}))")

    def light(color):
        parts = [int(n) / 255 for n in re.findall(r"\d+", color)[:3]]
        r, g, b = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * r + 0.7152 * g + 0.0722 * b
    high, low = sorted(map(light, colors), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_a_small_window(page):
    """On a telephone the pane comes below the steps, which scroll by themselves."""
    page.size(420, 800)
    page.picture(os.path.join(PICTURES, "small.png"))
    assert page.value("document.documentElement.scrollWidth") <= 420
    assert page.value("document.querySelector('aside').getBoundingClientRect().top >= "
                      "document.querySelector('.scroll').getBoundingClientRect().bottom")
