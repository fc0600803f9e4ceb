# SPDX-License-Identifier: MIT
"""How far something is that takes its time: a line at the terminal, drawn over and over.

    with Progress("grading", len(checks)) as bar:
        for check in checks:
            bar.step(check.name)        # what begins now
            ...
            bar.print(result)           # a line that stays, above the bar

It comes after PATIENCE seconds, goes with its block, and is drawn only where stderr is a terminal:
what is written into a file or a pipe is what it would be without it. Without a total it tells the
seconds alone.
"""

import shutil
import sys
import threading
import time

PATIENCE = 2.0  # seconds until it is worth a line
REDRAW = 0.25
WIDTH = 24  # of the bar


class Progress:
    """A bar of `of` steps; 0: nobody knows how many."""

    def __init__(self, what, of=0, stream=None):
        self.what, self.of, self.stream = what, of, stream or sys.stderr
        self.done, self.name, self.begun = -1, "", time.monotonic()
        self.lock, self.over, self.drawn = threading.Lock(), threading.Event(), False
        self.thread = threading.Thread(target=self.draw_on, daemon=True)

    def __enter__(self):
        if self.stream.isatty():
            self.thread.start()
        return self

    def __exit__(self, *_exc):
        self.over.set()
        if self.thread.is_alive():
            self.thread.join()
        self.clear()

    def step(self, name=""):
        """The next step begins; the one before it is done."""
        with self.lock:
            self.done, self.name = self.done + 1, name

    def rename(self, name):
        """The same step, more closely."""
        with self.lock:
            self.name = name

    def line(self):
        """What is to be seen now."""
        seconds = f"{time.monotonic() - self.begun:.0f} s"
        done = max(0, self.done)
        if not self.of:
            return f"{self.what}: {seconds} {self.name}".rstrip()
        full = WIDTH * min(done, self.of) // self.of
        return f"{self.what} [{'#' * full}{'.' * (WIDTH - full)}] {done} of {self.of}, {seconds} {self.name}".rstrip()

    def draw_on(self):
        while not self.over.wait(REDRAW):
            if time.monotonic() - self.begun < PATIENCE:
                continue
            with self.lock:
                columns = shutil.get_terminal_size().columns
                self.stream.write("\r" + self.line()[:columns - 1] + "\x1b[K")
                self.stream.flush()
                self.drawn = True

    def clear(self):
        """Takes the bar away, until it is drawn again."""
        with self.lock:
            if self.drawn:
                self.stream.write("\r\x1b[K")
                self.stream.flush()
                self.drawn = False

    def print(self, text):
        """A line on stdout that stays."""
        self.clear()
        print(text, flush=True)
