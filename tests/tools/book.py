#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The book: docs/book, and what is made of it.

    book.py              runs all that the chapters quote once more, writes it into them, draws the pictures,
                         and makes build/book/html (index.html) and build/book/holdfast-book.pdf
    book.py write [N …]  the first half only; of these chapters
    book.py site         the second half only
    book.py check        exits 1 and names the chapters and pictures that are not what they should be
                         (lines and addresses of code aside); `check machine`: those of QEMU, too
"""

import os
import sys
from typing import Dict, List

import asked
import book_blocks
import book_figures
import book_site
import explore_home
from book_blocks import BOOK, Chapter, chapters, page_path


def pages() -> List[Chapter]:
    """The chapters, and the page in front of them."""
    return [Chapter(0, "README", "the book"), *chapters()]


def text_of(chapter: Chapter) -> str:
    with open(page_path(chapter), encoding="utf-8") as page:
        return page.read()


def pictures(text: str) -> Dict[str, str]:
    """{file: SVG} of what a chapter's `figure` comments ask for."""
    return {os.path.join(BOOK, "figures", name + ".svg"): book_figures.figure(what)
            for name, what in book_blocks.FIGURE.findall(text)}


def write(chosen: List[Chapter]) -> None:
    os.makedirs(os.path.join(BOOK, "figures"), exist_ok=True)
    for chapter in chosen:
        print(f"  BOOK    docs/book/{chapter.file}.md", file=sys.stderr)
        text = text_of(chapter)
        for path, svg in {page_path(chapter): book_blocks.made(text, chapter.number),
                          **pictures(text)}.items():
            with open(path, "w", encoding="utf-8") as out:
                out.write(svg)


def stale(chapter: Chapter, machine: bool) -> List[str]:
    """What of a chapter is not as it should be: the page, pictures."""
    text = text_of(chapter)
    found = [] if book_blocks.same(text, book_blocks.made(text, chapter.number, machine)) else [page_path(chapter)]
    for path, svg in pictures(text).items():
        if not os.path.exists(path) or not book_blocks.same(open(path, encoding="utf-8").read(), svg):
            found.append(path)
    return [os.path.relpath(path, book_blocks.ROOT) for path in found]


def site() -> None:
    print("  BOOK    build/book/html/index.html", file=sys.stderr)
    made = book_site.make_site()
    print("  BOOK    build/book/holdfast-book.pdf", file=sys.stderr)
    book_site.make_pdf(made)


def main(args: List[str]) -> int:
    if args[:1] == ["check"]:
        wrong = [path for chapter in pages() for path in stale(chapter, args[1:] == ["machine"])]
        for path in wrong:
            print(f"{path} is not what the machine says: run 'make book'", file=sys.stderr)
        return 1 if wrong else 0
    if args[:1] in ([], ["write"]):
        asked.known("book", "N", args[1:], {str(c.number) for c in pages()}, "the book has chapters 1 to 14")
        write([c for c in pages() if not args[1:] or str(c.number) in args[1:]])
    if args[:1] in ([], ["site"]):
        site()
    return 0


if __name__ == "__main__":
    explore_home.end_with("book", main, "what was not written is as it was")
