# SPDX-License-Identifier: MIT
"""`make show-check`: the page of `make show`, looked at in a real browser while a machine runs.

What the machine says on its lines is held by tests/qemu/test_show.py; here is what a reader sees
of it and can press.
"""

import os
import sys
import threading
import time

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests", "show"), os.path.join(ROOT, "tests", "qemu"),
                os.path.join(ROOT, "tests", "explore", "browser")]
import show as show_program  # noqa: E402
from devtools import Browser  # noqa: E402
from hf_machine import PATIENCE, make_config  # noqa: E402

PICTURES = os.path.join(ROOT, "build", "show-check")
COLOURS = {"rest": "rgb(200, 208, 216)", "mapped": "rgb(47, 127, 214)", "held": "rgb(224, 160, 32)",
           "busy": "rgb(216, 58, 58)"}


@pytest.fixture(scope="module", name="page")
def run_page(tmp_path_factory):
    """The browser with the page of a machine at its prompt, 1280 by 900."""
    folder = tmp_path_factory.mktemp("show")
    show = show_program.Show(make_config(folder, {}))
    server = show_program.serve(show, 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    browser = Browser(str(tmp_path_factory.mktemp("profile")))
    os.makedirs(PICTURES, exist_ok=True)
    browser.size(1280, 900)
    browser.scheme("light")
    browser.open(f"http://127.0.0.1:{server.server_address[1]}/")
    until(browser, "state.ready && !document.getElementById('step').disabled")
    yield browser
    browser.close()
    show.machine.close()
    server.shutdown()
    server.server_close()


def until(page, script):
    """Until this is true in the page."""
    deadline = time.monotonic() + PATIENCE
    while not page.value(script):
        assert time.monotonic() < deadline, (script, page.value("document.body.innerText"))
        time.sleep(0.1)


def press(page, name):
    page.value(f"document.getElementById('{name}').click()")


def words(page, name):
    return page.value(f"document.getElementById('{name}').innerText")


def cells(page, kind):
    """[pfn, colour, seen by its reader] of every cell of this kind."""
    return page.value(f"[...document.querySelectorAll('.cells i.{kind}')].map(c => [Number(c.dataset.pfn), "
                      "getComputedStyle(c).backgroundColor, c.getBoundingClientRect().width > 2 && "
                      "c.getBoundingClientRect().top < innerHeight])")


def step_to(page, text):
    """Presses `step` until the last step of the race says this."""
    for _ in range(20):
        until(page, "state.stopped && state.waiting")
        if text in words(page, "steps").split("\n")[-1]:
            return
        number = page.value("document.querySelectorAll('#steps li').length")
        press(page, "step")
        until(page, f"document.querySelectorAll('#steps li').length > {number}")
    raise AssertionError(words(page, "steps"))


def choose(page, lifetime):
    page.value(f"document.getElementById('lifetime').value = '{lifetime}'")


@pytest.mark.parametrize("lifetime,kind,waits,verdict", [
    ("idle-at-one", "held", "T2 waits for pfn 0x", "safe"), ("busy-extent", "busy", "nobody waits", "safe"),
    ("unaware", "held", "nobody waits", "BROKEN I1")])
def test_the_truncate_race_by_hand(page, lifetime, kind, waits, verdict):
    """Steps stand still until pressed; the page's cell has its colour, and who holds it is said."""
    choose(page, lifetime)
    until(page, "!state.waiting")
    press(page, "step")
    until(page, "state.stopped && state.waiting")
    step_to(page, "pins the page")
    (pfn, colour, seen), = cells(page, "held")
    assert colour == COLOURS["held"] and seen
    file = "" if lifetime == "unaware" else ", page 0 of /scratch/F"  # there a page does not know its file
    assert f"{pfn:#x} held{file}: a pin of the script" in words(page, "pages")
    step_to(page, "truncates F")
    (after, colour, seen), = cells(page, kind)
    assert (after, colour) == (pfn, COLOURS[kind]) and seen
    assert waits in words(page, "waits")
    assert {colour for _, colour, _ in cells(page, "rest")} == {COLOURS["rest"]}
    page.picture(os.path.join(PICTURES, f"{lifetime}.png"))
    press(page, "play")
    until(page, f"document.getElementById('steps').innerText.includes('{lifetime} {verdict}')")
    until(page, "!state.waiting")


def test_the_shell_the_pause_and_the_cells(page):
    """What is typed runs; a cell asks for its page; a pause stops the clock of the machine."""
    for line in ("mount pmem0 /t", "write /t/f 0 hello", "map /t/f", "touch m1"):
        page.value(f"document.getElementById('line').value = '{line}'; document.getElementById('form').requestSubmit()")
    until(page, "document.querySelectorAll('.cells i.mapped').length == 1")
    (pfn, colour, seen), = cells(page, "mapped")
    assert colour == COLOURS["mapped"] and seen and f"{pfn:#x} mapped, page 0 of /t/f" in words(page, "pages")
    page.value("document.querySelector('.cells i.mapped').click()")
    until(page, f"document.getElementById('shell').innerText.includes('pfn {pfn:#x} (address')")
    press(page, "pause")
    until(page, "state.stopped")
    assert words(page, "state") == "all stands still"
    page.value("document.getElementById('line').value = 'echo went on'; document.getElementById('form').requestSubmit()")
    time.sleep(1)
    assert "went on" not in words(page, "shell")
    press(page, "pause")
    until(page, "document.getElementById('shell').innerText.includes('went on')")
    page.value("document.getElementById('line').value = 'unmap m1; umount /t'; "
               "document.getElementById('form').requestSubmit()")
    until(page, "document.querySelectorAll('.cells i.mapped').length == 0")


def test_what_is_rendered(page):
    """Nothing runs out of the window, in light and dark; nothing is asked of anybody else; no error."""
    for scheme in ("dark", "light"):
        page.scheme(scheme)
        assert page.value("document.documentElement.scrollWidth") <= 1280
        assert page.value("document.documentElement.scrollHeight") <= 900
        page.picture(os.path.join(PICTURES, f"{scheme}.png"))
    assert all(url.startswith("http://127.0.0.1:") for url in page.requests)
    refused = page.value("fetch('https://example.org/').then(() => 'came', () => 'refused')")
    assert refused == "refused"
    assert not [text for text in page.errors if "Content Security Policy" not in text], page.errors
