# SPDX-License-Identifier: MIT
"""The machine that is shown: its shell on the first serial line, its pages on the second.

What the second line says is in drivers/show/line.c. `Pages` reads it; `Machine` starts QEMU, types,
and paces: a script waits before each step until it is told to go on, and between two steps the
whole machine can stand still.
"""

import codecs
import os
import re
import socket
import sys
import threading
import time
from typing import Any, Callable, Dict, List, Optional

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "qemu"))
import hf_process  # noqa: E402
from hf_config import Config  # noqa: E402

LOOK = 0.2  # seconds between two looks at the pages
PROMPT = "holdfast> "
ESCAPE = re.compile(r"\x1b\[([0-9;]*)([A-Za-z])")
CUT = re.compile(r"(?:\x1b(?:\[[0-9;]*)?)?\Z")


class Pages:
    """What the second line has told so far, as the page in the browser wants it."""

    def __init__(self) -> None:
        self.rows: Dict[int, Dict[str, Any]] = {}
        self.state: Dict[str, Any] = {"rows": [], "pages": [], "waits": [], "counts": [0] * 6}
        self.pages: List[Dict[str, Any]] = []
        self.waits: List[Dict[str, Any]] = []
        self.step: Optional[Dict[str, Any]] = None

    def line(self, text: str) -> bool:
        """Takes a line. True: it ended a picture."""
        kind, *fields = text.split("\t")
        if kind == "row":
            self.rows[int(fields[0])] = {"device": fields[1], "pfn": int(fields[2], 16),
                                         "unit": int(fields[3]), "cells": fields[4]}
        elif kind == "page":
            pfn, cell, refs, maps, index, file, holders = fields
            self.pages.append({"pfn": int(pfn, 16), "cell": cell, "references": int(refs),
                               "mappings": int(maps), "index": int(index), "file": file,
                               "holders": holders})
        elif kind == "wait":
            self.waits.append(dict(zip(("tid", "name", "what", "waker"), fields)))
        elif kind == "step":
            self.step = {"number": int(fields[0]), "who": fields[1], "text": fields[2]}
        elif kind == "end":
            counts = [int(field) for field in fields]
            self.state = {"rows": [self.rows[n] for n in range(counts[0]) if n in self.rows],
                          "pages": self.pages, "waits": self.waits, "counts": counts}
            self.pages, self.waits = [], []
        return kind == "end"


class Terminal:
    """The shell's line as whole lines: what the editor draws over and over is the last of them."""

    def __init__(self) -> None:
        self.now, self.at = "", 0
        self.cut = ""  # the begin of an escape whose end has not come

    def feed(self, text: str) -> List[str]:
        """The lines that are complete. A text may end anywhere, also inside an escape."""
        text = self.cut + text
        self.cut = CUT.search(text)[0]
        text = text[:len(text) - len(self.cut)]
        done = []
        for piece in re.split(r"(\x1b\[[0-9;]*[A-Za-z]|[\r\n\b])", text):
            escape = ESCAPE.fullmatch(piece)
            if piece == "\n":
                done.append(self.now.rstrip())
                self.now, self.at = "", 0
            elif piece == "\r":
                self.at = 0
            elif piece == "\b":
                self.at = max(0, self.at - 1)
            elif escape and escape.group(2) == "K":
                self.now = self.now[:self.at]
            elif not escape:
                self.now = self.now[:self.at] + piece + self.now[self.at + len(piece):]
                self.at += len(piece)
        return done


class Machine:
    """QEMU with two serial lines. `tell(kind, data)` gets what happens: "pages", "step", "line",
    "state", from any thread."""

    def __init__(self, config: Config, tell: Callable[[str, Any], None]) -> None:
        self.tell, self.pages, self.terminal = tell, Pages(), Terminal()
        self.lock = threading.RLock()  # who sends, and the variables below
        self.changed = threading.Condition(self.lock)
        self.stopped = self.waiting = self.by_hand = self.over = False
        self.pace, self.since = 1.5, 0.0  # seconds a step; when the last one came
        self.ready = self.asked = False
        serial = []
        for name in ("ser", "line"):
            serial += ["-chardev", f"socket,id={name},path=@/{name},server=on,wait=on",
                       "-serial", f"chardev:{name}"]
        self.process = hf_process.Process(config, serial + ["-monitor", "none", *hf_process.QMP],
                                          hf_process.describe(config), 60)
        try:
            self.shell, self.second = self.connect("ser"), self.connect("line")
        except BaseException:
            self.process.stop()
            raise
        for work in (self.read_shell, self.read_second, self.look):
            threading.Thread(target=work, daemon=True).start()

    def connect(self, name: str) -> socket.socket:
        """QEMU waits on each socket, one after the other, before it runs the machine."""
        conn = socket.socket(socket.AF_UNIX)
        while True:
            try:
                conn.connect(self.process.path(name))
                return conn
            except OSError:
                if self.process.process.poll() is not None:
                    raise RuntimeError("QEMU ended at once; its message is above") from None
                time.sleep(0.02)

    # ---- what comes

    def read_shell(self) -> None:
        """Until the machine is off."""
        letters = codecs.getincrementaldecoder("utf-8")("replace")
        while True:
            try:
                data = self.shell.recv(65536)
            except OSError:
                data = b""
            if not data:
                break
            for line in self.terminal.feed(letters.decode(data)):
                self.tell("line", line)
            if self.terminal.now == PROMPT:
                self.at_prompt()
        with self.lock:
            self.over = True
            self.changed.notify_all()
        self.tell("state", self.state())

    def at_prompt(self) -> None:
        """The first time: who draws is started, and told that steps are asked for."""
        with self.lock:
            if self.ready:
                return
            self.ready = True
        self.type("page -w &")
        self.send("SF")
        self.tell("state", self.state())

    def read_second(self) -> None:
        rest = b""
        while True:
            try:
                data = self.second.recv(65536)
            except OSError:
                data = b""
            if not data:
                return
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self.take(line.decode(errors="replace").rstrip("\r"))

    def take(self, line: str) -> None:
        """A step is shown with the picture that comes behind it."""
        if not self.pages.line(line):
            return
        step, self.pages.step = self.pages.step, None
        self.tell("pages", self.pages.state)
        if step:
            self.tell("step", step)
        with self.lock:
            self.asked = False
            if step:
                self.waiting, self.since = True, time.monotonic()
            self.changed.notify_all()
        if step:
            self.tell("state", self.state())

    # ---- what is asked for, and when

    def look(self) -> None:
        """Asks for the picture; lets a script go on after its pace, or stops everything before it."""
        with self.lock:
            while not self.over:
                if self.waiting and not self.stopped and self.by_hand:
                    self.stop()
                elif self.waiting and not self.stopped and time.monotonic() - self.since >= self.pace:
                    self.go_on()
                elif self.ready and not self.stopped and not self.asked:
                    self.ask_picture()
                self.changed.wait(LOOK)

    def ask_picture(self) -> None:
        self.asked = True
        self.send("p")

    def go_on(self) -> None:
        self.waiting = False
        self.send("n")
        self.tell("state", self.state())

    def send(self, text: str) -> None:
        with self.lock:
            self.second.sendall(text.encode())

    def type(self, text: str) -> None:
        with self.lock:
            self.shell.sendall(text.encode() + b"\r")

    # ---- what one can press

    def state(self) -> Dict[str, Any]:
        with self.lock:
            return {"over": self.over, "ready": self.ready, "stopped": self.stopped,
                    "waiting": self.waiting, "hand": self.by_hand, "pace": self.pace}

    def stop(self) -> None:
        """The whole machine stands still, its clock too."""
        with self.lock:
            self.stopped = self.process.ask({"execute": "stop"}) or self.stopped
        self.tell("state", self.state())

    def cont(self) -> None:
        with self.lock:
            self.process.ask({"execute": "cont"})
            self.stopped = self.asked = False
            self.changed.notify_all()
        self.tell("state", self.state())

    def step(self) -> None:
        """One step of the script; from now on each of them is asked for."""
        with self.lock:
            self.by_hand = True
            if self.stopped:
                self.cont()
            if self.waiting:
                self.go_on()
        self.tell("state", self.state())

    def play(self) -> None:
        """The script goes on by itself, a step every `pace` seconds."""
        with self.lock:
            self.by_hand = False
            if self.stopped:
                self.cont()
        self.tell("state", self.state())

    def close(self) -> None:
        with self.lock:
            self.over = True
            self.changed.notify_all()
        self.process.stop()
