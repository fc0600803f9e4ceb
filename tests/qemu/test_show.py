# SPDX-License-Identifier: MIT
"""The picture of all pages: as text, on the screen (`page -w`), and on the second serial line.

What a browser makes of the last one is looked at by `make show-check` (tests/show/test_page.py).
"""

import http.client
import json
import os
import re
import sys
import threading
import time

import pytest

import hf_screen
from hf_config import ROOT
from hf_machine import PATIENCE, make_config
from run import run_commands

sys.path.insert(0, os.path.join(ROOT, "tests", "show"))
import machine as show_machine  # noqa: E402
import show as show_program  # noqa: E402

MOUNT = ("mount pmem0 /t lifetime=idle-at-one", "write /t/f 0 hello", "map /t/f", "touch m1", "pin m1")
REST, HELD, BUSY = (0x3A, 0x45, 0x50), (0xE0, 0xA0, 0x20), (0xD8, 0x3A, 0x3A)
CELLS_X, CELL_W, CELLS_Y, PAGES_Y, SLEEP_Y, STEP_Y = 112, 7, 72, 404, 574, 694


class Shown:
    """A machine of `make show`, and all it told."""

    def __init__(self, folder, **variables):
        self.told, self.came = [], threading.Condition()
        config = make_config(folder, dict(variables, SMP="1"))
        self.machine = show_machine.Machine(config, self.tell)
        self.screen_file = folder / "screen.ppm"

    def tell(self, kind, data):
        with self.came:
            self.told.append((kind, data))
            self.came.notify_all()

    def until(self, kind, wanted):
        """The first thing of this kind that `wanted` says yes to; nothing is looked at twice."""
        deadline = time.monotonic() + PATIENCE
        with self.came:
            while time.monotonic() < deadline:
                while self.told:
                    one, data = self.told.pop(0)
                    if one == kind and wanted(data):
                        return data
                self.came.wait(1)
        raise AssertionError(f"no {kind} came that was waited for; the last pages: "
                             f"{self.machine.pages.state['pages']}")

    def ask(self, line):
        """Types a line, and waits for the prompt that stands behind what it prints."""
        self.machine.type(line)
        self.machine.type("echo done with it")
        self.until("line", lambda text: text == "done with it")

    def screen_until(self, wanted):
        """What the screen shows once `wanted` says yes to it, or when patience ends."""
        deadline = time.monotonic() + PATIENCE
        while True:
            assert self.machine.process.ask(
                {"execute": "screendump", "arguments": {"filename": str(self.screen_file)}}, PATIENCE)
            seen = hf_screen.Screen(str(self.screen_file))
            if wanted(seen) or time.monotonic() > deadline:
                return seen
            time.sleep(0.25)


@pytest.fixture(name="shown")
def run_shown(request, tmp_path):
    shown = Shown(tmp_path, **getattr(request, "param", {}))
    shown.until("state", lambda state: state["ready"])
    yield shown
    shown.machine.close()


def test_a_terminal_by_pieces():
    """What the shell's editor draws is the same line, wherever it is cut: the prompt ends by an escape."""
    drawn = "\r\x1b[2;5Hab\x1b[Kcd\b\b\x1b[K\rAx\n\rholdfast> \x1b[K"
    for size in range(1, len(drawn) + 1):
        terminal, lines = show_machine.Terminal(), []
        for at in range(0, len(drawn), size):
            lines += terminal.feed(drawn[at:at + size])
        assert (lines, terminal.now) == (["Ax"], "holdfast> "), (size, lines, terminal.now)


def test_a_picture_of_letters(tmp_path):
    """`page`: a letter a page, who holds what, and who waits; `page -w` says what it can draw on."""
    done = run_commands("; ".join(MOUNT) + "; page; truncate /t/f 0 &; sleep 50; page; "
                        "unpin p1; wait; page -w; page 1 2; unmap m1; umount /t", tmp_path)
    first, second = [c.output for c in done.commands if c.line == "page"]
    row = re.search(r"(?m)^pmem0 0x([0-9a-f]+) +([.mHB ]+)$", first)
    pfn = int(re.search(r"(?m)^H 0x([0-9a-f]+): 2 reference\(s\), 1 mapping\(s\), page 0 of /t/f; "
                        r"held by: pin p1", first).group(1), 16)
    assert row.group(2)[pfn - int(row.group(1), 16)] == "H"
    assert f"truncate /t/f 0 waits for pfn {pfn:#x} " in second and "0 mapping(s)" in second
    refused = done.command("page -w")
    assert refused.status == 19 and "BOOT=grub" in refused.output and "make show" in refused.output
    assert "usage: page" in done.command("page 1 2").output


@pytest.mark.unclean("the machine is ended while pmem0 is mounted")
@pytest.mark.parametrize("shown", [{"BOOT": "grub"}], indirect=True)
def test_the_screen_shows_the_pages(shown):
    """1024 by 768 pixels; a held page's cell is amber, one at rest grey; text says who and what."""
    for line in MOUNT:
        shown.ask(line)
    shown.machine.type("truncate /t/f 0 &")
    screen = shown.screen_until(lambda s: s.text(16, SLEEP_Y).startswith("truncate"))
    assert (screen.width, screen.height) == (1024, 768)
    assert screen.text(16, 12) == "Holdfast: the pages of persistent memory"
    legend = [screen.text(38 + 250 * n, 40).split("  ")[0].strip() for n in range(4)]
    assert legend == ["rest", "mapped 0", "held 1", "busy 0"]
    words = screen.text(38, PAGES_Y)
    pfn = int(words.split()[0], 16)
    assert words.startswith(f"{pfn:x} held, page 0 of /t/f: pin p1 (thread 1, for ")
    assert screen.pixel(18, PAGES_Y + 2) == HELD
    first = int(screen.text(8, CELLS_Y + 12, 1)[:12].split()[1], 16)
    row = [screen.pixel(CELLS_X + CELL_W * n + 3, CELLS_Y + 16) for n in range(128)]
    assert row[pfn - first] == HELD and row.count(REST) == 127
    words = " ".join(screen.lines(16, SLEEP_Y, 3))
    assert words.startswith(f"truncate /t/f 0 waits for pfn {pfn:#x} (/t/f page 0, 2 references, rest 1)")
    assert "woken by last put of the page, count 2 to 1" in words
    shown.machine.type("unpin p1")
    screen = shown.screen_until(lambda s: not s.text(16, SLEEP_Y) and not s.text(38, PAGES_Y))
    assert screen.text(16, SLEEP_Y) == "" and screen.text(38, PAGES_Y) == ""
    assert screen.pixel(CELLS_X + CELL_W * (pfn - first) + 3, CELLS_Y + 16) == REST
    shown.machine.type("page -w")
    shown.until("line", lambda text: "the pages are being watched already" in text)


def steps_of(shown, lifetime):
    """The race, step by step by hand: (step, pages) of each, until its verdict."""
    shown.machine.by_hand = True
    shown.machine.type(f"race A-1-truncate lifetime={lifetime}")
    while True:
        step = shown.until("step", lambda _: True)
        assert shown.until("state", lambda state: state["waiting"] and state["stopped"])["hand"]
        yield step, shown.machine.pages.state
        if step["who"] == lifetime:
            return
        shown.machine.step()


CASES = [("idle-at-one", "H", HELD, ", and sleeps", "safe"), ("busy-extent", "B", BUSY, "", "safe"),
         ("unaware", "H", HELD, "", "BROKEN I1")]


@pytest.mark.parametrize("shown", [{"BOOT": "grub"}], indirect=True)
def test_the_truncate_race_step_by_step(shown):
    """All stands still before each step; what a design makes of the page has its letter and colour."""
    for lifetime, letter, colour, became, verdict in CASES:
        seen = []
        for step, pages in steps_of(shown, lifetime):
            seen.append(step["text"])
            assert shown.screen_until(lambda s: True).text(16, STEP_Y).startswith(f"step {step['number']}, ")
            if step["who"] != "T2" or "truncates" not in step["text"]:
                continue
            assert step["text"] == "truncates F" + became
            assert [page["cell"] for page in pages["pages"]] == [letter]
            assert bool(pages["waits"]) == bool(became)
            screen = shown.screen_until(lambda s: True)
            row = [screen.pixel(CELLS_X + CELL_W * n + 3, CELLS_Y + 16) for n in range(128)]
            assert row.count(colour) == 1 and row.count(REST) == 127
        assert seen[1:3] == ["maps F and stores to it", "pins the page for a device"]
        assert seen[-1].startswith(verdict)
        shown.machine.step()
        shown.ask("jobs")


def test_a_race_ends_while_it_is_watched(shown):
    """By itself, a step after the other; a sleeper that hangs is found as without a viewer."""
    shown.machine.pace = 0
    shown.machine.type("museum skip-wake on; race A-1 lifetime=idle-at-one")
    shown.until("line", lambda text: re.match(r"race A-1 lifetime=idle-at-one: HUNG I4 nothing runnable", text))
    shown.machine.type("kill %1")
    shown.until("line", lambda text: "done" in text and "page -w" in text)
    shown.machine.type("poweroff")
    shown.until("state", lambda state: state["over"])


def request(port, method, path, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, body, headers={name.replace("_", "-"): value
                                                    for name, value in headers.items()})
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


class FakeMachine:
    """In the place of a machine: what was pressed."""

    def __init__(self, _config, _tell):
        self.pressed, self.pace, self.by_hand = [], 1.5, False

    def __getattr__(self, name):
        return lambda *words: self.pressed.append((name, *words))


@pytest.fixture(name="served")
def serve(monkeypatch):
    monkeypatch.setattr(show_program, "Machine", FakeMachine)
    show = show_program.Show(None)
    server = show_program.serve(show, 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield show, server.server_address[1]
    server.shutdown()
    server.server_close()


def test_only_the_page_itself_may_press(served):
    """Another host's name, another page's request, a thing that is no button: refused, nothing pressed."""
    show, port = served
    status, text = request(port, "GET", "/")
    assert status == 200 and "idle-at-one" in text and "src=" not in text and "href=" not in text
    press = json.dumps({"do": "type", "line": "ps"})
    assert request(port, "GET", "/", Host="evil.example")[0] == 403
    assert request(port, "POST", "/press", press)[0] == 403
    assert request(port, "POST", "/press", press, X_Key="0" * 32)[0] == 403
    assert request(port, "GET", "/etc/passwd")[0] == 404
    for wrong in ('{"do": "close"}', '{"do": "race", "race": "x; poweroff", "lifetime": "unaware"}', "[]", "{",
                  '{"do": "type", "line": "a\\nb"}', '{"do": "pace", "seconds": "fast"}'):
        assert request(port, "POST", "/press", wrong, X_Key=show.key)[0] == 400, wrong
    assert show.machine.pressed == []
    assert request(port, "POST", "/press", press, X_Key=show.key) == (200, "")
    race = json.dumps({"do": "race", "race": "A-1", "lifetime": "unaware", "hand": True})
    assert request(port, "POST", "/press", race, X_Key=show.key) == (200, "")
    assert show.machine.pressed == [("type", "ps"), ("type", "race A-1 lifetime=unaware")]
    assert show.machine.by_hand


def test_a_viewer_that_comes_late_sees_what_was_told(served):
    """Lines and steps from the beginning, of everything else the last; then what happens."""
    show, port = served
    for kind, data in (("line", "one"), ("state", {"n": 1}), ("state", {"n": 2}), ("step", {"n": 3})):
        show.tell(kind, data)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/events")
    answer = connection.getresponse()

    def event():
        lines = [answer.readline().decode().strip() for _ in range(3)]
        return lines[0][len("event: "):], json.loads(lines[1][len("data: "):])
    assert [event() for _ in range(3)] == [("line", "one"), ("step", {"n": 3}), ("state", {"n": 2})]
    show.tell("line", "two")
    assert event() == ("line", "two")
    connection.close()


def test_what_the_lines_say():
    """Rows stay until they change; pages and sleepers are those of the last picture."""
    pages = show_machine.Pages()
    told = ["row\t0\tpmem0\t100200\t1\t..H", "page\t100202\tH\t2\t1\t0\t/t/f\tpin p1", "end\t1\t0\t0\t0\t1\t0",
            "wait\t6\ttruncate\tpfn 0x100202\tlast put", "end\t1\t0\t0\t0\t1\t0"]
    assert [pages.line(line) for line in told] == [False, False, True, False, True]
    assert pages.state["rows"] == [{"device": "pmem0", "pfn": 0x100200, "unit": 1, "cells": "..H"}]
    assert pages.state["pages"] == []
    assert pages.state["waits"] == [{"tid": "6", "name": "truncate", "what": "pfn 0x100202", "waker": "last put"}]
    assert pages.line("end\t0\t0\t0\t0\t0\t0") and pages.state["rows"] == []


def test_what_the_shell_draws_becomes_lines():
    """The editor's row, drawn over and over, is one line."""
    terminal = show_machine.Terminal()
    assert terminal.feed("\rholdfast> \x1b[K\rholdfast> p\x1b[K\rholdfast> ps\x1b[K\r\n TID\r\nho") == [
        "holdfast> ps", " TID"]
    assert terminal.feed("\rholdfast> \x1b[K") == [] and terminal.now == "holdfast> "
