# SPDX-License-Identifier: MIT
"""One word for one thing: tests/tools/words.py on the tree, and on small pieces that break its rules."""

import os
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
