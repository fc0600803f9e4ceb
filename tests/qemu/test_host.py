# SPDX-License-Identifier: MIT
"""The host tests, one pytest case for each cmocka test, so that one summary counts them all.

Every program build/host/test_X (from tests/host/test_X.c) is run once per worker; its report
decides about its cases. A program that is missing, dies, or does not mention a test fails that test.
"""

import functools
import os
import re
import subprocess

import pytest

from hf_config import BUILD, ROOT

SOURCES = os.path.join(ROOT, "tests", "host")
MACRO = re.compile(r"#define (\w+)\([\w, ]+\)\s+\\?\s*cmocka_unit_test\w*.*\n")


def names_in(path):
    """Names of the tests a source lists, by cmocka's own macros or by one of its own."""
    with open(path, encoding="utf-8") as source:
        text = source.read()
    macros = "|".join(MACRO.findall(text) + [r"cmocka_unit_test\w*"])
    return re.findall(rf"\b(?:{macros})\(\s*(\w+)", MACRO.sub("", text))


PROGRAMS = {name[:-2]: names_in(os.path.join(SOURCES, name)) for name in sorted(os.listdir(SOURCES))
            if name.startswith("test_") and name.endswith(".c")}
CASES = [(program, name) for program, names in PROGRAMS.items() for name in names]


@functools.lru_cache(maxsize=None)
def report(program):
    """(verdict of each test by name, everything that was printed)"""
    path = os.path.join(BUILD, "host", program)
    if not os.path.exists(path):
        return {}, f"{path} is not there; `make host-test` builds it"
    env = dict(os.environ, CMOCKA_MESSAGE_OUTPUT="STDOUT")
    done = subprocess.run([path], env=env, cwd=ROOT, text=True, errors="replace", check=False,
                          timeout=300, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    lines = re.findall(r"^\[ +(OK|FAILED|SKIPPED) +\] (\w+)", done.stdout, re.MULTILINE)
    verdicts = {}
    for word, name in lines:
        verdicts[name] = word if verdicts.get(name) != "FAILED" else "FAILED"
    return verdicts, f"exit status {done.returncode}\n{done.stdout}"


@pytest.mark.parametrize("program,name", CASES, ids=lambda value: value)
def test_host(program, name):
    verdicts, text = report(program)
    if verdicts.get(name) == "SKIPPED":
        pytest.skip("cmocka skipped it")
    assert verdicts.get(name) == "OK", text


@pytest.mark.parametrize("program", PROGRAMS)
def test_host_program(program):
    """It ends with status 0 (a leak shows only there), and no test of it escaped the list above."""
    verdicts, text = report(program)
    assert text.startswith("exit status 0"), text
    assert set(verdicts) == set(PROGRAMS[program]), text
