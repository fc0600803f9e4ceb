# SPDX-License-Identifier: MIT
"""`make test-book`: the folder of HTML in a real browser, from disk, and the PDF by other tools.

tests/qemu/test_book.py says what stands in the chapters; here is what a reader sees of it.
"""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, *folder) for folder in
                (("tests", "tools"), ("tests", "qemu"), ("tests", "explore", "browser"))]
import book_site  # noqa: E402
from book_blocks import chapters  # noqa: E402
from devtools import Browser  # noqa: E402

pytestmark = pytest.mark.xdist_group("the book's folder")  # one worker makes it
PICTURES = os.path.join(ROOT, "build", "book-check")


@pytest.fixture(scope="module")
def pages():
    """The folder and the PDF, made once."""
    made = book_site.make_site()
    book_site.make_pdf(made)
    return made


@pytest.fixture(scope="module")
def browser(tmp_path_factory, pages):
    os.makedirs(PICTURES, exist_ok=True)
    one = Browser(str(tmp_path_factory.mktemp("profile")))
    one.size(1280, 900)
    yield one
    one.close()


def address(name):
    return "file://" + os.path.join(book_site.SITE, name)


def opened(browser, name):
    browser.requests.clear()
    browser.errors.clear()
    browser.open(address(name))
    return browser


class Links(HTMLParser):
    """What a page leads to and loads, and the ids that it has."""

    def __init__(self, text):
        super().__init__()
        self.to, self.ids = [], set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name in ("href", "src"):
                self.to.append(value)
            if name == "id":
                self.ids.add(value)


def test_every_link_leads_somewhere_in_the_folder(pages):
    """No page leads out of the folder or loads from elsewhere; each file and each anchor exists."""
    parsed = {}
    for name in os.listdir(book_site.SITE):
        if name.endswith(".html"):
            with open(os.path.join(book_site.SITE, name), encoding="utf-8") as file:
                parsed[name] = Links(file.read())
    assert len(parsed) > len(chapters())
    assert {book_site.page_name(path) for path in book_site.book_pages()} <= set(parsed)
    for name, links in parsed.items():
        for to in links.to:
            if re.match(r"https?://", to):  # a citation that a reader may follow; nothing is loaded from it
                continue
            file, _, anchor = to.partition("#")
            assert not file.startswith("/") and ".." not in file, (name, to)
            assert not file or os.path.exists(os.path.join(book_site.SITE, file)), (name, to)
            if anchor and (file or name) in parsed and book_site.page_name("docs/book/README.md") != file:
                assert anchor in parsed[file or name].ids, (name, to)


@pytest.mark.parametrize("chapter", chapters(), ids=lambda c: c.file)
def test_a_chapter_as_it_is_seen(browser, chapter):
    """Title, pictures that are loaded, nothing wider than the window, no request but of files, no error."""
    page = opened(browser, chapter.file + ".html")
    assert page.value("document.querySelector('h1').innerText").startswith(f"{chapter.number}. ")
    assert page.value("[...document.images].every(i => i.complete && i.naturalWidth > 100)")
    assert page.value("document.documentElement.scrollWidth") <= 1280
    assert page.value("document.querySelectorAll('pre').length") >= 1
    assert page.value("document.querySelector('nav li.here a').innerText").startswith(f"{chapter.number}. ")
    assert all(asked.startswith("file://") for asked in page.requests), page.requests
    assert page.errors == []


def typed(page, words):
    """The links that the search shows for these words, typed."""
    page.value("document.getElementById('search').value = ''")
    page.value("document.getElementById('search').focus()")
    for letter in words:
        page.press(letter, letter)
    return page.value("[...document.querySelectorAll('#found a')].map(a => [a.innerText, a.getAttribute('href')])")


def test_the_search_from_disk(browser):
    """Words that are typed lead to the sections that have them; the first hit is opened; no server is asked."""
    page = opened(browser, "index.html")
    hits = typed(page, "recheck")
    assert hits and hits[0][1].startswith("04-fast-gup.html#"), hits
    hits = typed(page, "lost wake-up")
    assert hits and hits[0][1] == "05-wake.html#the-lost-wake-up", hits
    page.picture(os.path.join(PICTURES, "search.png"))
    assert page.value("document.querySelector('#found mark').innerText.toLowerCase()") == "lost"
    assert typed(page, "xyzzyplugh") == []
    assert page.value("document.getElementById('found').innerText") == "nothing found"
    typed(page, "MAP_DIRECT deaf")
    page.value("document.querySelector('#found a').click()")
    while page.receive().get("method") != "Page.loadEventFired":
        pass
    assert page.value("location.pathname").endswith("/09-leases.html")
    assert all(asked.startswith("file://") for asked in page.requests), page.requests
    refused = page.value("fetch('https://example.org/').then(() => 'came', () => 'refused')")
    assert refused == "refused"


def test_the_search_has_every_section(browser, pages):
    """The index has each heading of each chapter, and a key leads to the search."""
    page = opened(browser, "01-boot-and-nfit.html")
    heads = page.value("BOOK_INDEX.map(s => s.page + '#' + s.at)")
    for path in book_site.book_pages():
        for anchor in re.findall(r'<h[123] id="([^"]+)"', pages[path]):
            assert f"{book_site.page_name(path)}#{anchor}" in heads
    page.press("/", "/")
    assert page.value("document.activeElement.id") == "search"


def test_light_and_dark(browser):
    """The page follows the reader's system."""
    page, seen = opened(browser, "06-break-layouts.html"), set()
    for scheme in ("light", "dark"):
        page.scheme(scheme)
        seen.add(page.value("getComputedStyle(document.body).backgroundColor"))
        page.picture(os.path.join(PICTURES, f"chapter-{scheme}.png"))
    page.scheme("light")
    assert len(seen) == 2


def told(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout


def test_the_pdf(pages):
    """Pages, embedded fonts, the text of every chapter, a table of contents of its own, pictures."""
    about = told("pdfinfo", book_site.PDF)
    assert 40 <= int(re.search(r"Pages: +(\d+)", about)[1]) <= 300, about
    assert "A4" in about
    rows = told("pdffonts", book_site.PDF).splitlines()[2:]
    assert rows and all(row.split()[-5] == "yes" for row in rows), rows
    text = told("pdftotext", "-layout", book_site.PDF, "-")
    flat = re.sub(r"\s+", " ", text)
    for chapter in chapters():
        assert f"{chapter.number}. {chapter.title[0].upper()}{chapter.title[1:]}" in flat, chapter
    assert flat.count("BROKEN I1") > 10 and "holdfast" in flat.lower()
    assert "\ufffd" not in text, "every sign has a glyph"
    outline = subprocess.run(["pdftohtml", "-xml", "-i", "-stdout", book_site.PDF], stdout=subprocess.PIPE,
                             check=True, text=True, errors="replace").stdout
    for chapter in chapters():
        assert re.search(rf"<item[^>]*>{chapter.number}\. ", outline), f"{chapter.number} is in no outline"
