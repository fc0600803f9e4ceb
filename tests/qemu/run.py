# SPDX-License-Identifier: MIT
"""Starts the machine: `make run`, `make debug`, and, as a library, every test in this folder.

From the command line the variables come from the environment (the Makefile exports them); their
meaning stands in tests/tools/help.txt. stdout is the serial line and nothing else.

As a library, for pytest:

    from run import Machine, run_commands

    def test_pmem(tmp_path):
        result = run_commands("nfit; pmem", tmp_path, SMP="8", CPU="qemu64")
        assert result.status == 0, result.text      # 0 exactly when `make run CMD=…` would be 0
        assert "pmem0" in result.command("pmem").output

    def test_talk(tmp_path):
        with Machine(tmp_path, BOOT="grub") as m:    # boots to the prompt
            m.send("help")                           # types a line
            m.expect(r"truncate FILE SIZE")          # waits for a regular expression
            assert "pmem0" in m.ask("pmem")          # types a line, returns what it prints
            assert m.run("cat /none").status != 0    # the same with .output and .status
            m.send("poweroff")
            assert m.wait() in (0, 33)               # QEMU's exit status

Keyword arguments are the variables of `make run`, as strings, and mean the same. Without PMEM the
default DIMMs are made in the given folder (tmp_path), so tests never share an image. More in
hf_machine.py.
"""

import os
import selectors
import signal
import subprocess
import sys
import time

import hf_process
from hf_config import Config, ConfigError, cause, from_variables
from hf_machine import Machine, Result, run_commands  # noqa: F401 (what tests import)
from hf_process import Process, SerialFilter, describe, say, verdict

__all__ = ["Machine", "Result", "run_commands", "main"]

PATIENCE = 5  # seconds for a machine to say what it does when its time is up
LOCK_PATIENCE = 60  # seconds a run without a person waits for an image
GDB_PORT = 1234


def gdb_args(config: Config) -> list:
    kernel = hf_process.hf_media.built(config, hf_process.hf_media.KERNEL)
    say(f"waiting for gdb: gdb {kernel} "
        f"-ex 'target remote localhost:{GDB_PORT}'")
    return ["-S", "-gdb", f"tcp::{GDB_PORT}"]


def copy_serial(process, filt, limit, until=None):
    """Serial line to stdout until QEMU ends, or a line `until` comes. False: neither, within
    `limit` seconds."""
    pipe, tail = process.process.stdout, b""
    deadline = time.monotonic() + limit if limit else None
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while True:
            left = deadline - time.monotonic() if deadline else None
            if left is not None and left <= 0:
                return False
            if not selector.select(left):
                continue
            data = os.read(pipe.fileno(), 65536)
            if not data:
                return True
            data = filt.feed(data)
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
            tail = tail[-200:] + data
            if until and until in tail:
                return True


def interrogate(process, filt) -> None:
    """Makes a machine whose time is up say what it does; what it answers goes to stdout.

    First politely, by a break on the serial line. If it takes no interrupt, by an NMI, which ends
    it (kernel/trap/report.c)."""
    for question in (hf_process.ASK_BREAK, hf_process.ASK_NMI):
        if not process.ask(question) or copy_serial(process, filt, PATIENCE, b"report: end\n"):
            return


def run_piped(config: Config, extra: list, stdin) -> int:
    """A run whose output goes to a file or a pipe: filtered, and with a time limit."""
    serial = ["-chardev", "stdio,id=ser,signal=off", "-serial", "chardev:ser", "-monitor", "none",
              *hf_process.QMP]
    process = Process(config, serial + extra, describe(config), LOCK_PATIENCE, stdin=stdin,
                      stdout=subprocess.PIPE)
    filt = SerialFilter()
    try:
        in_time = copy_serial(process, filt, None if config.gdb else config.timeout)
        if not in_time and filt.started:
            interrogate(process, filt)
        if not filt.started:
            sys.stderr.buffer.write(filt.before[-4000:])
            say("the kernel printed nothing; above is the end of what the firmware printed")
        if not in_time:
            say(f"no end after {config.timeout:g} s; TIMEOUT= sets another limit")
            print("TIMEOUT", file=sys.stderr, flush=True)
            return 124
        return judge(config, process.wait())
    finally:
        process.stop()


def run_terminal(config: Config, extra: list) -> int:
    """A person at the terminal: QEMU owns it, in raw mode, so every key reaches the shell."""
    say("Ctrl-A X ends the machine, Ctrl-A C shows QEMU's monitor, Ctrl-A B what every "
        "thread does; `help` at the prompt")
    serial = ["-chardev", "stdio,id=ser,mux=on,signal=off", "-serial", "chardev:ser",
              "-mon", "chardev=ser", *hf_process.QMP]
    process = Process(config, serial + extra, describe(config))
    try:
        limit = config.timeout if config.timeout_given else None
        return judge(config, process.wait(limit))
    except subprocess.TimeoutExpired:
        process.ask(hf_process.ASK_BREAK)
        time.sleep(2)
        print("TIMEOUT", file=sys.stderr, flush=True)
        return 124
    finally:
        process.stop()


def judge(config: Config, rc: int) -> int:
    """make's status. A person may also end the machine by ACPI or from QEMU's monitor: rc 0."""
    if config.cmd is None and rc == 0:
        return 0
    text = verdict(rc)
    if text:
        say(text)
    return 1 if text else 0


def ended(signum, _frame) -> None:
    """Once: a second signal must not end the tidying up after the first one."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    sys.exit(128 + signum)


def main(argv) -> int:
    signal.signal(signal.SIGTERM, ended)
    signal.signal(signal.SIGHUP, ended)
    hf_process.die_with_parent(signal.SIGTERM)
    hf_process.hang_up_with_terminal()
    try:
        config = from_variables(os.environ)
        if "--debug" in argv:
            import hf_debug
            return hf_debug.debug(config)
        extra = gdb_args(config) if config.gdb else []
        if config.cmd is not None:
            return run_piped(config, extra, subprocess.DEVNULL)
        if not sys.stdout.isatty() or not sys.stdin.isatty():
            return run_piped(config, extra, sys.stdin)
        return run_terminal(config, extra)
    except ConfigError as error:
        say(str(error))
        return 1
    except BrokenPipeError:
        return 1
    except OSError as error:  # a full disk, another user's folder
        say(cause(error))
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
