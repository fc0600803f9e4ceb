# SPDX-License-Identifier: MIT
"""The book as one folder of HTML, which works from disk and is searched there, and as a PDF.

Pandoc makes HTML of each page of Markdown; what is added here is what a folder of pages needs: names of
pages in place of those of files, a table of contents beside each page, and an index for the search
(book.js), which is a script, since a page on disk may not read other files. WeasyPrint makes the PDF
of the same pages, one behind the other.
"""

import html
import json
import os
import re
import shutil
import subprocess
from typing import Dict, List, Tuple

from book_blocks import BOOK, ROOT, chapters, page_path

TOOLS = os.path.join(ROOT, "tests", "tools")
SITE = os.path.join(ROOT, "build", "book", "html")
PDF = os.path.join(ROOT, "build", "book", "holdfast-book.pdf")
PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'self' 'unsafe-inline'; connect-src 'none'">
<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="book.css"></head>
<body><nav><p class="home"><a href="index.html">Holdfast: the book</a></p>
<p><input id="search" type="search" placeholder="search" aria-label="search" autocomplete="off"></p>
<ol id="found" aria-live="polite"></ol>
{contents}</nav>
<main>
{body}
{onward}
</main><script src="book-index.js"></script><script src="book.js"></script></body></html>
"""
HREF = re.compile(r'(<a [^>]*?href|<img [^>]*?src)="([^"#:]*)(#[^"]*)?"')


def page_name(path: str) -> str:
    """The page's file in the folder, of a file of Markdown by its path from the root."""
    folder, name = os.path.split(path)
    if path == "docs/book/README.md":
        return "index.html"
    if folder in ("docs/book", "docs"):
        return name[:-3] + ".html"
    return (path[:-3].replace("/README", "").replace("/", "-").lower()) + ".html"


def markdown(path: str) -> str:
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return re.sub(r"(?m)^<!-- .*? -->\n", "", file.read())


def as_html(path: str) -> str:
    """The page's body, its links still those of the file."""
    done = subprocess.run(["pandoc", "-f", "gfm", "-t", "html5", "--no-highlight", "--wrap=preserve"],
                          input=markdown(path), stdout=subprocess.PIPE, check=True, encoding="utf-8")
    return done.stdout


def linked(path: str, body: str) -> List[str]:
    """What the page leads to and shows, by path from the root."""
    here = os.path.dirname(path)
    found = [os.path.normpath(os.path.join(here, m[2])) for m in HREF.finditer(body) if m[2]]
    return [target for target in dict.fromkeys(found) if os.path.isfile(os.path.join(ROOT, target))]


def book_pages() -> List[str]:
    """The pages of the book itself, in order, by their path from the root."""
    return ["docs/book/README.md", *[os.path.relpath(page_path(c), ROOT) for c in chapters()],
            "docs/glossary.md"]


def all_pages() -> Dict[str, str]:
    """{path: body} of the book and of the pages that it leads to."""
    pages = {path: as_html(path) for path in book_pages()}
    more = {target for path, body in pages.items() for target in linked(path, body) if target.endswith(".md")}
    return {**pages, **{path: as_html(path) for path in sorted(more - set(pages))}}


def file_name(path: str) -> str:
    """Where a file that is no page lies in the folder: as text, so that a browser shows it."""
    return ("pictures/" + os.path.basename(path) if path.endswith(".svg")
            else "files/" + path + ("" if path.endswith(".txt") else ".txt"))


def with_links(path: str, body: str, pages: Dict[str, str]) -> str:
    """The links are those of the folder; what is copied there for them is added to it."""
    def one(m: "re.Match[str]") -> str:
        target = os.path.normpath(os.path.join(os.path.dirname(path), m[2])) if m[2] else ""
        if not target:
            return m[0]
        if target in pages:
            return f'{m[1]}="{page_name(target)}{m[3] or ""}"'
        source = os.path.join(ROOT, target)
        if not os.path.isfile(source):
            return m[0].replace("href=", "data-missing=")
        os.makedirs(os.path.dirname(os.path.join(SITE, file_name(target))), exist_ok=True)
        shutil.copyfile(source, os.path.join(SITE, file_name(target)))
        return f'{m[1]}="{file_name(target)}"'
    return HREF.sub(one, body)


def plain(body: str) -> str:
    words = re.sub(r"</?(?:em|strong|code|a)\b[^>]*>", "", body)
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", words))).strip()


def sections(path: str, body: str) -> List[Tuple[str, str, str]]:
    """[(anchor, heading, text)]: what the search finds."""
    cuts = list(re.finditer(r'<h([123]) id="([^"]*)">(.*?)</h\1>', body, re.S))
    ends = [m.start() for m in cuts[1:]] + [len(body)]
    return [(m[2], plain(m[3]), plain(body[m.end():end])) for m, end in zip(cuts, ends)]


def title_of(body: str) -> str:
    found = re.search(r"<h1[^>]*>(.*?)</h1>", body, re.S)
    return plain(found.group(1)) if found else "Holdfast"


def contents(here: str, pages: Dict[str, str]) -> str:
    """The list beside a page: the book's pages, then the others."""
    out = ""
    for group, tag in ((book_pages(), "ol"), ([p for p in pages if p not in book_pages()], "ul")):
        rows = "".join(f'<li{" class=here" if path == here else ""}><a href="{page_name(path)}">'
                       f'{html.escape(title_of(pages[path]))}</a></li>\n' for path in group)
        out += f"<{tag} class=contents>\n{rows}</{tag}>\n" if rows else ""
    return out


def onward(path: str, pages: Dict[str, str]) -> str:
    """The way to the next page of the book."""
    order = book_pages()
    if path not in order[:-1]:
        return ""
    to = order[order.index(path) + 1]
    return f'<p class="next"><a href="{page_name(to)}">Next: {html.escape(title_of(pages[to]))}</a></p>'


def write(name: str, text: str) -> None:
    with open(os.path.join(SITE, name), "w", encoding="utf-8") as out:
        out.write(text)


def make_site() -> Dict[str, str]:
    """The folder, made anew; value: {path: body with the folder's links}."""
    shutil.rmtree(SITE, ignore_errors=True)
    os.makedirs(SITE)
    bodies = all_pages()
    pages = {path: with_links(path, body, bodies) for path, body in bodies.items()}
    for path, body in pages.items():
        write(page_name(path), PAGE.format(title=html.escape(title_of(body)), body=body,
                                           contents=contents(path, pages), onward=onward(path, pages)))
    own = book_pages()
    index = [{"page": page_name(path), "own": path in own, "of": title_of(body), "at": anchor, "head": head, "text": text}
             for path, body in pages.items() for anchor, head, text in sections(path, body)]
    write("book-index.js", "var BOOK_INDEX = " + json.dumps(index, ensure_ascii=False) + ";\n")
    for name in ("book.css", "book.js"):
        shutil.copyfile(os.path.join(TOOLS, name), os.path.join(SITE, name))
    return pages


def one_page(pages: Dict[str, str]) -> str:
    """The book's pages behind one another: ids get the page's name in front, and links follow."""
    order = book_pages()
    names = {page_name(path): path for path in order}
    out = ""
    for path in order:
        here = page_name(path)[:-5]
        body = re.sub(r' id="([^"]+)"', rf' id="{here}--\1"', pages[path])

        def one(m: "re.Match[str]", here: str = here) -> str:
            page, anchor = m[2], (m[3] or "")[1:]
            if m[1].startswith("<img"):
                return m[0]
            if page in names or not page:
                to = page[:-5] if page else here
                return f'{m[1]}="#{to}{"--" + anchor if anchor else ""}"'
            return m[1].replace("href", "data-elsewhere") + f'="{page}"'
        out += f'<section id="{here}">\n{HREF.sub(one, body)}</section>\n'
    return ('<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Holdfast: the book</title>'
            '<link rel="stylesheet" href="book.css"></head><body class="print">' + out + "</body></html>")


def make_pdf(pages: Dict[str, str]) -> None:
    """build/book/holdfast-book.pdf, of the pages that make_site() gave."""
    write("print.html", one_page(pages))
    try:
        subprocess.run(["weasyprint", "-q", os.path.join(SITE, "print.html"), PDF], check=True)
    finally:
        os.unlink(os.path.join(SITE, "print.html"))
