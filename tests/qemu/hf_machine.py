# SPDX-License-Identifier: MIT
"""Machines for tests: talked to over a socket (Machine), or given commands and read (run_commands).

Both take a folder for the run's DIMM images, and the variables of `make run` as keyword arguments.
A Machine is a context manager; leaving it ends QEMU whatever happened. What the serial line said
is kept: Machine.text() and Result.text, the thing to print when an assertion fails.
"""

import os
import re
import socket
import subprocess
import time
from dataclasses import dataclass, field
from typing import List, Optional

import pexpect
import pexpect.fdpexpect

from hf_config import Config, default_dimms, from_variables
from hf_process import ASK_BREAK, QMP, Process, SerialFilter, describe, verdict

# The line editor draws a row as carriage return, prompt, line, erase to the end: an *empty* row is
# a prompt that waits for the next command.
PROMPT = r"\rholdfast> \x1b\[K"
LOCK_PATIENCE = 30
# Seconds. Tests wait for events; this ends what hangs, and nothing that is only slow: more than
# `make run` gives it, as several machines share the processors here.
PATIENCE = 400


def make_config(folder, variables) -> Config:
    """Variables to Config; without PMEM the default DIMMs, but private ones in `folder`."""
    variables = {name: str(value) for name, value in variables.items()}
    private = "PMEM" not in variables
    config = from_variables(dict(variables, PMEM=variables.get("PMEM", "")))
    if private:
        config.dimms = default_dimms(str(folder))
    return config


@dataclass
class Command:
    """One command of a run: what was run, what it printed, the status it ended with."""

    line: str
    output: str = ""
    status: Optional[int] = None  # None: it never ended


@dataclass
class Result:
    """A finished run. status 0: every command succeeded and everything was unmounted."""

    status: int
    rc: Optional[int]  # QEMU's own; 33 ok, 35 a command failed, 37 panic, None: time-out
    text: str  # the serial line from the kernel's first line on
    stderr: str  # what QEMU complained about
    seconds: float
    commands: List[Command] = field(default_factory=list)

    @property
    def timed_out(self) -> bool:
        return self.rc is None

    def command(self, line: str) -> Command:
        """The first command with this text; fails when it was never started."""
        for command in self.commands:
            if command.line == line:
                return command
        raise AssertionError(f'"{line}" was never run; the run said:\n{self.text}')


def split_commands(text: str) -> List[Command]:
    """The lines `> command` … `[status N]` that the kernel frames each command with."""
    commands: List[Command] = []
    for line in text.split("\n"):
        status = re.fullmatch(r"\[status (-?[0-9]+)\]", line)
        if line.startswith("> "):
            commands.append(Command(line[2:]))
        elif status and commands and commands[-1].status is None:
            commands[-1].status = int(status.group(1))
        elif commands and commands[-1].status is None:
            commands[-1].output += line + "\n"
    return commands


def run_commands(cmd: str, folder, **variables) -> Result:
    """`make run CMD=cmd` with these variables; never raises for what the machine does.

    A machine that hangs is ended after PATIENCE seconds."""
    config = make_config(folder, dict({"TIMEOUT": PATIENCE}, **variables, CMD=cmd))
    # Into a file: QEMU writes each byte by itself, and a pipe's reader would wake for each.
    serial = ["-chardev", "file,id=ser,path=@/serial", "-serial", "chardev:ser", "-monitor", "none",
              *QMP]
    start = time.monotonic()
    process = Process(config, serial, describe(config), LOCK_PATIENCE, stdin=subprocess.DEVNULL,
                      stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        _, err = process.process.communicate(timeout=config.timeout)
        rc: Optional[int] = process.process.returncode
    except subprocess.TimeoutExpired:
        process.ask(ASK_BREAK)  # what it answers is in Result.text
        try:
            process.process.communicate(timeout=3)
        except subprocess.TimeoutExpired:
            process.process.kill()
        _, err = process.process.communicate()
        rc = None
    finally:
        out = process.read("serial")
        process.stop()
    filt = SerialFilter()
    text = (filt.feed(out) or filt.before).decode(errors="replace")
    status = 124 if rc is None else 1 if verdict(rc) else 0
    return Result(status, rc, text, err.decode(errors="replace"), time.monotonic() - start,
                  split_commands(text))


def echo_of(line: str) -> str:
    """What the editor shows when `line` is entered, as a pattern: its end and a new line.

    A new line alone could be one of before that nobody has read yet. With other keys than plain
    characters in `line` (arrows, TAB) there is nothing better."""
    if line and line.isprintable():
        return re.escape(line[-8:]) + r"(?:\x1b\[K)?\r?\n"
    return r"\n"


class Machine:
    """A booted machine with its serial line in our hands."""

    def __init__(self, folder, prompt: bool = True, **variables):
        """Boots; with `prompt` waits for the shell's prompt."""
        self.config = make_config(folder, variables)
        self.log = os.path.join(str(folder), f"serial.{id(self)}.log")
        serial = ["-chardev", f"socket,id=ser,path=@/serial,server=on,wait=on,logfile={self.log}",
                  "-serial", "chardev:ser", "-monitor", "none",
                  *QMP]
        self.process = Process(self.config, serial, describe(self.config), LOCK_PATIENCE,
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            self.socket = self._connect()
            self.serial = pexpect.fdpexpect.fdspawn(self.socket.fileno(), encoding="utf-8",
                                                    codec_errors="replace",
                                                    timeout=self.config.timeout)
            if prompt:
                self.expect(PROMPT)
        except BaseException:
            self.close()
            raise

    def _connect(self) -> socket.socket:
        """QEMU creates the socket shortly after its start and waits for us on it."""
        conn = socket.socket(socket.AF_UNIX)
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                conn.connect(self.process.path("serial"))
                return conn
            except OSError:
                if time.monotonic() > deadline or self.process.process.poll() is not None:
                    conn.close()
                    raise RuntimeError("QEMU made no socket for the serial line; its message is on "
                                       "stderr") from None
                time.sleep(0.01)

    def send(self, line: str) -> None:
        """Types a line and Enter (a CR, as a terminal sends it)."""
        self.type(line + "\r")

    def type(self, text: str) -> None:
        """Types exactly these characters."""
        self.serial.send(text)

    def expect(self, pattern: str, timeout: Optional[float] = None):
        """Waits for a regular expression; the match. Otherwise an AssertionError with the log."""
        try:
            self.serial.expect(pattern, -1 if timeout is None else timeout)
        except (pexpect.TIMEOUT, pexpect.EOF) as error:
            what = "the machine ended" if isinstance(error, pexpect.EOF) else "time is up"
            raise AssertionError(f"waited for {pattern!r}: {what}; the serial line:\n"
                                 f"{self.text()}") from None
        return self.serial.match

    def ask(self, line: str, timeout: Optional[float] = None) -> str:
        """Types a line at the prompt and returns what is printed until the next prompt."""
        self.send(line)
        self.expect(echo_of(line))
        self.expect(PROMPT, timeout)
        return self.serial.before.replace("\r\n", "\n")

    def run(self, line: str, timeout: Optional[float] = None) -> Command:
        """As ask(), with the status: the prompt prints `[status N] NAME: text` when it is not 0."""
        text = self.ask(line, timeout)
        failed = re.search(r"(?m)^\[status ([0-9]+)\].*\n\Z", text)
        if failed:
            return Command(line, text[:failed.start()], int(failed.group(1)))
        return Command(line, text, 0)

    def wait(self, timeout: Optional[float] = None) -> int:
        """Waits until QEMU ends by itself; its exit status.

        Reads meanwhile: a guest whose serial line nobody reads stands still after 300 bytes."""
        self.expect(pexpect.EOF, timeout)
        return self.process.wait(PATIENCE)

    def text(self) -> str:
        """Everything the serial line said so far, firmware included."""
        try:
            with open(self.log, encoding="utf-8", errors="replace") as log:
                return log.read()
        except OSError:
            return ""

    def close(self) -> None:
        if getattr(self, "socket", None):
            self.socket.close()
        self.process.stop()

    def __enter__(self) -> "Machine":
        return self

    def __exit__(self, *_exc) -> None:
        self.close()
