# SPDX-License-Identifier: MIT
"""Pages that are generated: what stands in the repository is what the sources say."""

import os
import re
import subprocess
import sys

from run import run_commands

SOURCES = ("boot", "kernel", "mm", "drivers", "dax", "tests", "docs", "labs", "findings")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SERIES = {"s0": 15, "s1": 14, "s2": 12, "s3": 13, "s4": 18}


def test_seeds_page_is_current():
    """docs/seeds.md names the seed tests, claims and files of the sources: 'make seeds' is done."""
    tool = os.path.join(ROOT, "tests", "tools", "seeds.py")
    result = subprocess.run([sys.executable, tool, "--check"], capture_output=True, text=True,
                            check=False)
    assert result.returncode == 0, result.stderr


def test_every_patch_has_a_seed_test_that_runs(tmp_path):
    """One name for each patch of the series, and the default machine skips none."""
    result = run_commands("selftest -l seed.*; selftest seed.*", tmp_path)
    assert result.status == 0, result.text
    names = result.command("selftest -l seed.*").output.splitlines()
    assert sorted(names) == [f"seed.{series}.{n:02}" for series, count in sorted(SERIES.items())
                             for n in range(1, count + 1)]
    output = result.command("selftest seed.*").output
    assert re.findall(r"^ok \d+ (seed\.\S+)$", output, re.M) == names, output
    assert f"{sum(SERIES.values())} passed, 0 failed, 0 skipped" in output


def test_the_invariants_have_one_text_each():
    """docs/lifetimes.md lists what dax/check/invariants.c says, word for word; `check` prints that."""
    with open(os.path.join(ROOT, "dax", "check", "invariants.c"), encoding="utf-8") as source:
        table = re.search(r"texts\[\] = \{\n(.*?)\n\};", source.read(), re.S).group(1)
    texts = ["".join(re.findall(r'"((?:[^"\\]|\\.)*)"', text)).replace('\\"', '"')
             for text in re.split(r",\n", table) if text.strip()]
    with open(os.path.join(ROOT, "docs", "lifetimes.md"), encoding="utf-8") as page:
        listed = re.findall(r"^\* I(\d): ((?:.+\n(?:  .+\n)*))", page.read(), re.M)
    assert [int(n) for n, _ in listed] == list(range(1, 8))
    assert [" ".join(text.split()) for _, text in listed] == [text + "." for text in texts]


def test_the_seeds_page_has_a_row_for_every_patch():
    """No row is empty, and each row's file is there."""
    with open(os.path.join(ROOT, "docs", "seeds.md"), encoding="utf-8") as page:
        rows = re.findall(r"^\| (\d+) \| `(\S+)` \| (.+) \| \[(\S+)\]", page.read(), re.M)
    assert len(rows) == sum(SERIES.values())
    for number, name, claim, path in rows:
        assert name.endswith(f".{int(number):02}") and len(claim) > 20
        assert os.path.exists(os.path.join(ROOT, path)), path


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8", errors="replace") as file:
        return file.read()


def source_files(*endings):
    """The project's own files that end so, by their path from the root."""
    found = [name for name in os.listdir(ROOT) if name.endswith(endings) or name == "Makefile"]
    for top in SOURCES:
        for folder, _, names in os.walk(os.path.join(ROOT, top)):
            found += [os.path.relpath(os.path.join(folder, name), ROOT) for name in names
                      if name.endswith(endings)]
    return sorted(found)


def declared(macro):
    """The first string in every use of a macro: the names of races, exhibits or tests."""
    pattern = re.compile(macro + r'\(\s*\w+,\s*"([^"]+)"')
    return {name for path in source_files(".c") for name in pattern.findall(read(path))}


def test_every_weakness_has_a_race_and_every_race_its_weakness():
    """docs/weaknesses.md: a section for each race with a letter, and no other; what it names exists."""
    page = read("docs", "weaknesses.md")
    races = declared("(?:SCRIPT|RACE)")
    lettered = {re.match(r"[A-GL]-\d+", name).group(0) for name in races
                if re.match(r"[A-GL]-\d+", name)}
    sections = re.findall(r"(?m)^### ([A-GL]-\d+) ", page)
    assert set(sections) == lettered and len(sections) == len(lettered) >= 50, \
        set(sections) ^ lettered
    for section in re.split(r"(?m)^### ", page)[1:]:
        name = section.split(" ", 1)[0]
        assert f"race {name}`" in section, f"{name}: its race is not named"
    quoted = [word for span in re.findall(r"`([^`]+)`", page) for word in span.split()]
    tests = declared("(?:SELFTEST|PATCH|SEED)") | {"race", "museum", "selftest"}
    exhibits = declared("MUSEUM")
    areas = {name.split(".")[0] for name in tests if "." in name}
    for word in quoted:
        if re.match(r"[A-GL]-\d+", word):
            assert word in races, word
        elif "." in word and word.split(".")[0] in areas:
            assert word in tests, word
    for span in re.findall(r"[Mm]useum\s+((?:`[\w-]+`(?:,\s+)?)+)", page):
        for name in re.findall(r"`([\w-]+)`", span):
            assert name in exhibits, name


def test_every_guard_of_a_surprise_is_there():
    """docs/platforms.md: the tests, files and findings that its rows name exist."""
    page = read("docs", "platforms.md")
    rows = [row.split(" | ") for row in page.splitlines() if row.startswith("| ")]
    rows = [row for row in rows if row[0] != "| behaviour"]
    assert len(rows) >= 20 and all(len(row) == 4 for row in rows), [r for r in rows if len(r) != 4]
    for name in re.findall(r"\(finding `([^`]+)`\)", page):
        assert os.path.exists(os.path.join(ROOT, "findings", name + ".sh")), name
    functions = {name: read(name) for name in source_files(".py")}
    tests = declared("SELFTEST")
    for row in rows:
        held = row[3].rstrip(" |")
        words = re.findall(r"`([^`]+)`", held)
        assert words or held == "by hand", row
        for word in words:
            file, _, function = word.rpartition("::")
            if function.startswith("test_") and not function.endswith(".py"):
                name = function.split("[")[0]
                assert any(f"def {name}(" in text for path, text in functions.items()
                           if path.endswith(file)), word
            elif word.endswith((".py", ".sh")):
                assert any(path.endswith(word) for path in source_files(".py", ".sh")), word
            elif not word.startswith("make"):
                assert word in tests, word


def test_no_source_names_a_document_that_is_not_there():
    """Every page that a comment, a text or a page names is a file of the project."""
    missing = []
    for path in source_files(".c", ".h", ".py", ".sh", ".md", ".txt", ".asm", ".ld"):
        for name in re.findall(r"[\w./-]*\w\.md\b", read(path)):
            places = (name, os.path.join("docs", name), os.path.join(os.path.dirname(path), name))
            if not any(os.path.exists(os.path.join(ROOT, place)) for place in places):
                missing.append(f"{path}: {name}")
    assert not missing, missing
    for path in source_files(".c", ".h"):
        assert not re.search(r"\bspec \w", read(path)), path


def test_the_pictures_can_be_read_and_are_current():
    """Every SVG fits a page; the pictures of races are what docs/lifetimes.md quotes and shows."""
    for tool in (["svgs.py"], ["timeline.py", "--check"]):
        done = subprocess.run([sys.executable, os.path.join(ROOT, "tests", "tools", tool[0])] + tool[1:],
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    shown = re.findall(r"!\[[^\]]*\]\(([^)]+\.svg)\)", read("docs", "lifetimes.md"))
    drawn = [name for name in os.listdir(os.path.join(ROOT, "docs")) if name.endswith(".svg")]
    assert sorted(shown) == sorted(drawn)


def test_the_glossary_names_what_there_is():
    """Every header and every function of docs/glossary.md is in the sources."""
    page = read("docs", "glossary.md")
    headers = re.findall(r"`([\w/]+\.h)`", page)
    assert len(headers) > 25 and [h for h in headers if not os.path.exists(os.path.join(ROOT, h))] == []
    sources = "\n".join(read(path) for path in source_files(".h"))
    functions = re.findall(r"`(\w+)\(\)`", page)
    assert len(functions) > 7 and [f for f in functions if not re.search(rf"\b{f}\(", sources)] == []


# These make trees of their own, or name files as they were called before a move.
OTHER_TREES = ("test_floors.py", "test_words.py", "test_mutants.py", "mutants_source.py")


def test_files_that_are_named_are_there():
    """A path of the project in a comment, a page or a script leads somewhere."""
    pattern = re.compile(r"(?<![\w/.$}-])((?:boot|kernel|mm|drivers|dax|tests|docs|findings)/"
                         r"[\w/.-]+\.(?:c|h|py|sh|md|asm))\b")
    missing = [(path, name) for path in source_files(".c", ".h", ".asm", ".py", ".sh", ".md")
               if not path.endswith(OTHER_TREES + ("mutants_report.py",))
               for name in pattern.findall(read(path))
               if "test_X" not in name and not os.path.exists(os.path.join(ROOT, name))]
    assert missing == []
