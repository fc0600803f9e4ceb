# SPDX-License-Identifier: MIT
"""The book: every message leads to a chapter, every chapter says what the machine says.

`make test` asks the home in a process (milliseconds); `make test-book` also the machines in QEMU that
chapters quote, and looks at the HTML and the PDF (tests/book).
"""

import glob
import os
import re
import subprocess
import sys

import pytest

import hf_make
from hf_config import ROOT

sys.path.insert(0, os.path.join(ROOT, "tests", "tools"))
import book  # noqa: E402
import book_blocks as blocks  # noqa: E402
import book_figures  # noqa: E402
from csource import c_files, read  # noqa: E402

ALL = os.environ.get("ALL_BOOK") == "1"
PAGES = book.pages()
CHAPTERS = blocks.chapters()
PLACES = blocks.places()
GLOSSARY = read("docs/glossary.md")


@pytest.fixture(scope="module")
def home():
    hf_make.make("host")


def text_of(chapter):
    return book.text_of(chapter)


def prose(text):
    """Without blocks of text and what stands between backticks."""
    return re.sub(r"`[^`\n]*`", "", re.sub(r"```.*?```", "", text, flags=re.S))


# ---- from a message to its chapter

def homeless(paths):
    """Those of these files that say something and have no chapter."""
    return [path for path in paths if blocks.said_by(path) and not blocks.chapter_of(path, PLACES)]


def test_every_refusal_and_panic_has_a_chapter(monkeypatch):
    """Each file of mm/ and dax/ that refuses, asserts or panics; a new one without a row is found."""
    files = blocks.explained_files()
    assert sum(kind == "refuse" for path in files for kind, _ in blocks.said_by(path)) > 120
    assert sum(kind == "ASSERT" for path in files for kind, _ in blocks.said_by(path)) > 40
    assert homeless(files) == []
    monkeypatch.setattr(blocks, "read", lambda path: 'int f(void)\n{\n\treturn refuse(-EIO, "no " "%u", 1);\n}\n')
    new, old = "mm" + "/new/a.c", "mm/gup" + "/new.c"
    assert blocks.said_by(new) == [("refuse", "no …")]
    assert homeless([new, old]) == [new]


def test_the_table_of_places():
    """Every row begins the name of a file that exists, and names a chapter that exists and is about its file."""
    every = c_files("boot", "kernel", "mm", "drivers", "dax")
    numbers = {chapter.number for chapter in CHAPTERS}
    for path, number in PLACES.items():
        assert any(file.startswith(path) for file in every), path
        assert number in numbers, path
    assert numbers == set(range(1, len(CHAPTERS) + 1)) and numbers >= set(PLACES.values())


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda c: c.file)
def test_a_chapter_has_its_parts(chapter):
    """Title, number, lab, one section of refusals, its own questions last; and the list of the book has it."""
    text = text_of(chapter)
    title = chapter.title[0].upper() + chapter.title[1:]
    assert text.splitlines()[0] == f"# {chapter.number}. {title}"
    assert f"`quiz {chapter.number}`" in text.splitlines()[2]
    heads = re.findall(r"(?m)^## (.*)$", text)
    assert heads[-2:] == ["What is refused here", "Questions"] and len(set(heads)) == len(heads)
    assert re.findall(r"(?m)^> (quiz \d+)$", text) == [f"quiz {chapter.number}"]
    assert f"| {chapter.number} | [{title}]({chapter.file}.md) |" in text_of(PAGES[0])
    lab = re.search(r"\]\(../../(labs/\d+[\w-]+)/", text.splitlines()[2]).group(1)
    assert int(lab.split("/")[1][:2]) == chapter.number, "a chapter a lab"
    assert f"(../../docs/book/{chapter.file}.md)" in read(os.path.join(lab, "README.md")), f"{lab} does not name its chapter"
    assert len(prose(text).split()) > 250, "a chapter has something to tell"


def test_the_kernel_says_the_same(home):
    """`why FILE` names the chapter that the table has, for each file of the sources."""
    files = [path for path in c_files("mm", "dax", "drivers") if path.endswith(".c")]
    said = blocks.home_text([f"why {path}" for path in files])
    found = dict(re.findall(r"(?m)^> why (\S+)\n(?:.*\n)?  chapter (\d+), ", said))
    wanted = {path: str(blocks.chapter_of(path, PLACES)) for path in files}
    assert found == {path: number for path, number in wanted.items() if number != "0"}


REFUSED = {  # a line that is refused, and the chapter that `why` has to name
    "touch m9": 3, "punch /t/f 0 0": 6, "devdax pmem0": 8, "lease drop /t/f": 9, "pmem unbind pmem0": 12,
    "map /t/none": 12, "touch m1+4K": 3, "mount pmem9 /u": 12, "collapse /t/f 1 1": 6,
    "advise m1 dontneed 1 4096": 3, "pin m1 longterm": 4, "mount pmem1 /t": 12, "unpin p9": 4,
}


def test_a_refusal_leads_to_its_chapter(home):
    """What was refused at the prompt is found by `why`, with the code that said it; words of the shell itself
    have no chapter."""
    lines = ["why", "mount pmem0 /t", "write /t/f 0 x", "map /t/f"]
    for line in REFUSED:
        lines += [line, "why"]
    said = blocks.home_text([*lines, "truncate /t/f 1x", "why", "nosuch", "why"])
    assert "nothing was refused since boot" in said
    answers = re.findall(r"(?ms)^> ([^\n]*)\n([^\n]*)\n\[status (\d+)\]\n> why\n(.*?)\n\[status 0\]", said)
    told = {line: (first, answer) for line, first, status, answer in answers if status != "0"}
    wrong = []
    for line, number in REFUSED.items():
        first, answer = told.get(line, ("", "was not refused"))
        if f"\n  chapter {number}, " not in answer or not answer.startswith(first):
            wrong.append(f"{line}: {answer}")
        assert re.search(r"\n  said by \w+\+0x[0-9a-f]+ \S+\.[ch]:\d+\n", answer) or wrong, answer
    assert not wrong, "\n".join(wrong)
    for line in ("truncate /t/f 1x", "nosuch"):
        assert "no chapter of the book" in told[line][1], told[line]


def test_a_panic_names_its_chapter(home):
    """A panic anywhere below a function of the subject: the report ends with the chapter about it. Nothing in
    the kernel panics on purpose, so gdb has a call of devdax_mmap() be one of panic()."""
    script = ["handle SIGSEGV SIGVTALRM nostop noprint pass", "break *devdax_mmap", "run",
              "set $rdi = chapters[0].title", "set $rip = panic", "continue"]
    done = subprocess.run(["gdb", "-q", "-batch", "-nx", *[word for line in script for word in ("-ex", line)],
                           "--args", hf_make.HOME, "-p", "-,size=64M,scratch", "-c", "devdax pmem0"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, timeout=120, errors="replace")
    panic = done.stdout[done.stdout.index("PANIC: what is a page"):]
    assert re.search(r"(?m)^  #0 .* cmd_devdax\S+ dax/device/", panic), panic
    assert re.search(r"(?m)^book: chapter 8, entries of 2 MiB: docs/book/08-two-mib.md explains dax/device/\S+$",
                     panic), panic


# ---- what the chapters say

@pytest.mark.parametrize("chapter", PAGES, ids=lambda c: c.file)
def test_a_chapter_is_what_the_machine_says(home, chapter):
    """Every block, table and picture, made again; those of QEMU in `make test-book`."""
    assert book.stale(chapter, ALL) == [], "run 'make book'"


def test_another_answer_is_found():
    """A word that the machine does not say, and a number that is another one, are noticed; a line of source
    that moved is not."""
    text = text_of(PAGES[0])
    assert blocks.same(text, re.sub(r"(\.c):\d+", r"\1:7", text)) and re.search(r"\.c:\d+", text)
    assert not blocks.same(text, text.replace("2. I1 is right", "2. I1 is wrong"))
    table = "| `a` | – | sc | 7 | 1 | safe |\n"
    assert not blocks.same(table, table.replace("7", "8"))


@pytest.mark.parametrize("chapter", PAGES, ids=lambda c: c.file)
def test_words_and_names(chapter):
    """Words in bold are the glossary's; functions and files that are named exist; links lead somewhere."""
    text = text_of(chapter)
    rows = re.findall(r"(?m)^\| ([^|]+) \| [^|]+ \| [^|]+ \|$", GLOSSARY)
    words = {re.sub(r"\(.*?\)", "", word).strip(" `").lower() for row in rows for word in row.split(",")}
    for bold in re.findall(r"\*\*([^*]+)\*\*", prose(text)):
        one = bold.lower()
        forms = {one, one.rstrip("s"), {"holds": "held"}.get(one, one)}
        assert forms & words, f"'{bold}' is no word of docs/glossary.md"
    code = "".join(read(path) for path in c_files("boot", "kernel", "mm", "drivers", "dax", "tests"))
    for name in re.findall(r"`(\w+)\(\)`", text):
        assert re.search(rf"\b{name}\(", code), f"{name}() is no function"
    for path in re.findall(r"`((?:boot|kernel|mm|drivers|dax|tests|docs)/[\w./-]*)`", text):
        assert os.path.exists(os.path.join(ROOT, path)), path
    for link in re.findall(r"\]\(([^)#]+)", text):
        assert os.path.exists(os.path.join(blocks.BOOK, link)), link
    for switch in re.findall(r"`museum ([\w-]+)", text):
        assert f'"{switch}"' in code, switch


def glossary_rows():
    """[(words, file)] of the first table."""
    table = re.search(r"\| word \| what it is \| where \|\n\|[-|]+\|\n((?:\|.*\n)+)", GLOSSARY).group(1)
    return [[cell.strip() for cell in row.strip("|").split("|")][::2] for row in table.splitlines()]


def not_said(words, text):
    """Those words of a row that a file does not say: as they are, or joined as a name is."""
    flat = re.sub(r"\s+(?:\*\s+)?", " ", text.lower())

    def forms(word):
        plain = re.sub(r"\(.*?\)|`", "", word).strip().lower()
        of = re.sub(r" (?:of a|the) ", " ", plain)
        return {plain, of.replace(" ", "_"), plain.replace(" ", ""), plain.split(" of ")[0],
                plain.replace("'s ", " ").split(" ")[0] if "'s" in plain else plain}
    return [word for word in words.split(",") if not any(form in flat for form in forms(word))]


def test_the_glossary_is_the_codes():
    """Each of its words stands in the file that is said to explain it; one that does not is found."""
    rows = glossary_rows()
    assert len(rows) > 50
    wrong = [(words, where) for words, where in rows if not_said(words, read(where.strip("`")))]
    assert wrong == []
    assert not_said("page record, memmap", read("mm/page/page.h")) == [" memmap"]
    assert not_said("break the layout", "int break_layout(void);") == []


def test_pictures_and_sources():
    """No picture is left over, each can be read at the width of a page, and no answer of a lab is quoted."""
    wanted = {name for chapter in PAGES for name, _ in blocks.FIGURE.findall(text_of(chapter))}
    there = {os.path.basename(path)[:-4] for path in glob.glob(os.path.join(blocks.BOOK, "figures", "*"))}
    assert wanted == there
    for chapter in PAGES:
        shown = re.findall(r"\]\(figures/(\S+)\.svg\)", text_of(chapter))
        assert shown == [name for name, _ in blocks.FIGURE.findall(text_of(chapter))], chapter.file
        for path, name in re.findall(r"<!-- source: (\S+) (\w+) -->", text_of(chapter)):
            assert "LAB " not in blocks.definition(path, name)
    for path in glob.glob(os.path.join(blocks.BOOK, "figures", "*.svg")):
        svg = open(path, encoding="utf-8").read()
        width, height = map(int, re.search(r'width="(\d+)" height="(\d+)"', svg).groups())
        assert width <= 900 and width <= 3 * height, path


def test_a_figure_follows_its_source(monkeypatch):
    """A state word with other bits is not drawn as if nothing had changed."""
    monkeypatch.setattr(book_figures, "read", lambda path: read(path).replace("1ull << 63", "1ull << 61"))
    with pytest.raises(SystemExit, match="PAGE_BUSY"):
        book_figures.figure("state-word")


