# SPDX-License-Identifier: MIT
"""One word for one thing: tests/tools/words.py on the tree, and on small pieces that break its rules."""

import os
import re
import sys

from hf_config import ROOT

sys.path.insert(0, os.path.join(ROOT, "tests", "tools"))
import csource  # noqa: E402
import words  # noqa: E402


def test_ways_to_a_record_are_the_documented_few():
    """No function beside X_to_Y() makes a record's address, and the glossary lists them."""
    kernel, glossary = words.tree(*csource.FLOORS), csource.read("docs/glossary.md")
    assert sum(len(list(csource.functions(path, text))) for path, text in kernel.items()) > 2000
    assert words.bad_ways(kernel) + words.missing_ways(kernel, glossary) == []
    own = {"mm/a.h": "static inline struct page *pfn_to_home(uint64_t n)\n{\n\treturn 0;\n}\n",
           "dax/a.c": "static struct page *\nmine(uint64_t n)\n{\n"
                      "\treturn (struct page *)(n * 32);\n}\n"
                      "\nuint64_t pfn_of(int n)\n{\n\treturn 2;\n}\n"
                      "/* int page_of_me(void)\n{\n} */\n"}
    assert words.bad_ways(own)[0].startswith("dax/a.c:2: mine() makes the address of a record")
    assert [line.split("()")[0] for line in words.bad_ways(own)] == ["dax/a.c:2: mine", "dax/a.c:7: pfn_of"]
    assert words.missing_ways(own, glossary) == [
        "mm/a.h:1: pfn_to_home() is no way of docs/glossary.md"]


def test_a_name_has_one_meaning():
    """Words that the glossary reserves, and names of two words in two folders: here, and seen to fail."""
    assert words.two_meanings(words.tree(*csource.FLOORS)) == []
    body = "(void)\n{\n}\n\n"
    pieces = {"mm/a.c": "static void release_line" + body + "static void find_it" + body,
              "dax/b.c": "static int find_it" + body + "void put" + body, "mm/c.c": "int put" + body}
    found = words.two_meanings(pieces)
    assert found[0].startswith("mm/a.c:1: release_line(): 'release' has one meaning")
    assert found[1] == "find_it() stands in dax and mm: one name, one meaning"
    assert len(found) == 2 + len(words.SAME_NAME), "and what the real tree is allowed is not here"


def test_one_word_for_one_thing():
    """Help texts and public headers use the glossary's words: here, and seen to fail."""
    glossary = csource.read("docs/glossary.md")
    assert len(words.unwanted(glossary)) > 25
    kernel = {path: csource.read(path) for path in csource.c_files(*csource.FLOORS)}
    assert sum(1 for path, text in kernel.items() for _ in words.spoken(path, text)) > 1000
    assert words.bad_words(kernel, glossary) == []
    pieces = {"mm/a.h": "int x; /* counted by a\n * refcount */\n",
              "mm/internal.h": "/* refcount */\n",
              "dax/c.c": "/* refcounts */\nSHELL_COMMAND(\n\tls, cmd_ls, \"ls\",\n\t\"lists a \"\n"
                         "\t\"folder of a huge \"\n\t\"page\");\n"}
    assert words.bad_words(pieces, glossary) == [
        "mm/a.h:1: 'refcount': the word is 'reference' (docs/glossary.md)",
        "dax/c.c:2: 'folder': the word is 'directory' (docs/glossary.md)",
        "dax/c.c:2: 'huge page': the word is '2 MiB, folio' (docs/glossary.md)"]


def test_no_predicate_is_ambiguous():
    """Nothing asks whether something is on DAX without saying of which kind: and seen to fail."""
    kernel = words.tree(*csource.FLOORS)
    assert sum(len(re.findall(r"\bIS_(?:FS|DEV)DAX\b|\bvma_is_dax\b", text)) for text in kernel.values()) > 5
    assert words.bad_predicates(kernel) == []
    pieces = {"mm/a.h": "/* IS_DAX */\n#define IS_DAX(i) 1\nvma_is_dax(v); inode_is_dax(i);\n"}
    assert [line.split(" does")[0] for line in words.bad_predicates(pieces)] == [
        "mm/a.h:2: IS_DAX", "mm/a.h:3: inode_is_dax"]


def test_self_tests_have_one_name_pattern():
    """area.what-is-true in every file, no name twice, lifetime.X is a lifetime: and seen to fail."""
    every = {path: csource.read(path) for path in csource.c_files(*csource.FLOORS, "tests/kernel")}
    assert sum(text.count("\nSELFTEST(") for text in every.values()) > 600
    lifetimes = words.lifetime_names()
    assert words.bad_test_names(every, lifetimes) == []
    piece = "".join(f'SELFTEST(a, "{name}",\n\t "x")\n' for name in (
        "mm.fine", "mm.Bad", "mm.two_words", "alone", "mm.a.b", "lifetime.busy.x", "mm.fine"))
    found = words.bad_test_names({"mm/t.c": piece}, lifetimes)
    assert [line.split("'")[1] for line in found] == [
        "mm.Bad", "mm.two_words", "alone", "mm.a.b", "lifetime.busy.x", "mm.fine"]
