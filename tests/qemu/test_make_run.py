# SPDX-License-Identifier: MIT
"""`make run` as scripts rely on it: what goes to stdout and stderr, and what its status says.

Real `make run` processes, in the tree's own build folder. The kernel's part of the contract,
through run_commands() instead, is in test_shell.py.
"""

import json
import os
import pty
import re
import select
import socket
import subprocess
import time

import pytest

import hf_config
from hf_machine import PATIENCE, split_commands
from run import Machine, run_commands


class Make:
    """A `make run` that is under way or over: start(), then finish()."""

    def __init__(self, folder, stdin=subprocess.DEVNULL, **variables):
        variables = {"PMEM": f"{folder}/a.img,size=64M", **variables}
        words = [f"{name}={value}" for name, value in variables.items() if value is not None]
        env = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
        self.said = b""
        self.process = subprocess.Popen(["make", "run", *words], cwd=hf_config.ROOT, env=env,
                                        stdin=stdin, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)

    def until(self, text):
        """Reads until this is printed."""
        pipe, deadline = self.process.stdout.fileno(), time.monotonic() + PATIENCE
        while text.encode() not in self.said:
            left = deadline - time.monotonic()
            data = select.select([pipe], [], [], max(left, 0))[0] and os.read(pipe, 65536)
            assert data, f"{text!r} was not printed: {self.said!r}"
            self.said += data

    def finish(self, stdin=None):
        """(status, stdout, stderr)"""
        out, err = self.process.communicate(stdin and stdin.encode(), timeout=PATIENCE)
        return self.process.returncode, (self.said + out).decode(), err.decode()


def make_run(folder, **variables):
    return Make(folder, **variables).finish()


def run_to_time_out(folder, cmd, reached):
    """A run that its time limit ends, but not before it printed `reached`: (status, stdout, stderr).

    How long a boot takes is the host's affair: a limit that was too short is raised."""
    for limit in (4, 16, 64, 256):
        status, out, err = make_run(folder, CMD=cmd, TIMEOUT=limit)
        if reached in out:
            break
    return status, out, err


class Qmp:
    """QEMU's control socket, in the hands of a test that wants to spoil a run."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self.socket.connect(path)
                break
            except OSError:
                assert time.monotonic() < deadline, "no machine came up"
                time.sleep(0.02)
        self.file = self.socket.makefile("rw")
        self.file.readline()
        self.execute("qmp_capabilities")

    def execute(self, command, **arguments):
        """Sends it; its answer, which never comes when the machine ends of it."""
        try:
            self.file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
            self.file.flush()
            return self.file.readline()
        except ConnectionError:
            return ""

    def until_all_sleep(self):
        """Until every CPU is halted: no thread has anything to do."""
        deadline, halted = time.monotonic() + PATIENCE, []
        while not halted or "0" in halted:
            assert time.monotonic() < deadline, "the machine never came to rest"
            said = self.execute("human-monitor-command", **{"command-line": "info registers -a"})
            halted = re.findall(r"HLT=(\d)", said)


def test_stdout_is_the_serial_line_and_nothing_else(tmp_path):
    """From `boot:` on; each command framed; make, run.py and QEMU speak on stderr."""
    status, out, err = make_run(tmp_path, CMD="echo a  b; help nfit")
    assert status == 0, out + err
    lines = out.splitlines()
    assert lines[0].startswith("boot: entered by")
    at = lines.index("> echo a  b")
    assert lines[at:at + 4] == ["> echo a  b", "a b", "[status 0]", "> help nfit"]
    assert lines[-1] == "[status 0]" and "\r" not in out and "\x1b" not in out
    assert "make" not in out and "qemu" not in out.lower().replace("qemu:", "")


def test_a_failing_command_fails_make_and_not_the_next_command(tmp_path):
    """Statuses as they come; the last command runs; make's status is not 0."""
    status, out, err = make_run(tmp_path, CMD="nope; echo on; cat /none; echo end")
    assert [c.status for c in split_commands(out)] == [2, 0, 2, 0], out
    assert status != 0 and "a command failed" in err


@pytest.mark.parametrize("cmd,want", [
    ("echo 'a;  b' \"c; d\" e\\;f", "a;  b c; d e;f"), ("echo * *.c [a-z]", "* *.c [a-z]"),
    ("echo $HOME $(pwd) `id` $$", "$HOME $(pwd) `id` $$"), ("echo '%s' a,b #c", "%s a,b #c"),
    ("echo 'it'\\''s'", "it's"),
])
def test_words_arrive_as_they_were_typed(tmp_path, cmd, want):
    """Quotes as in sh, no globbing, nothing expanded by make, a shell, or QEMU on the way."""
    status, out, err = make_run(tmp_path, CMD=cmd)
    assert status == 0, out + err
    assert split_commands(out)[0].line == cmd and split_commands(out)[0].output == want + "\n"


def test_time_out(tmp_path):
    """A run that takes too long: TIMEOUT on stderr, a status that is not 0, no QEMU left."""
    cmd = "echo a; sleep 86400000; echo b"
    status, out, err = run_to_time_out(tmp_path, cmd, "> sleep")
    assert status != 0, out + err
    assert "TIMEOUT" in err.splitlines() and "TIMEOUT" not in out
    assert [c.status for c in split_commands(out)] == [0, None]
    report = out[out.index("\nreport: "):]
    assert "'main' sleeps for" in report and "waits for time to pass" in report, report
    assert re.search(r"#\d+ +0x[0-9a-f]+ cmd_sleep\+0x[0-9a-f]+ kernel/\S+\.c:\d+\n", report), report
    assert report.endswith("\nreport: end\n")
    assert subprocess.run(["pgrep", "-f", f"mem-path={tmp_path}"], check=False).returncode == 1


@pytest.mark.parametrize("exhibit", ["endless-loop", "deaf-loop"])
def test_time_out_of_an_endless_loop(tmp_path, exhibit):
    """Before the machine is ended it says where it loops; with interrupts off as well."""
    cmd = f"museum {exhibit} on; selftest watch.endless-loop"
    status, out, err = run_to_time_out(tmp_path, cmd, "\n1..1\n")
    assert status != 0 and "TIMEOUT" in err.splitlines(), out + err
    # What a self-test says is a comment.
    report = re.sub("(?m)^# ", "", out[re.search("\n(# )?report: ", out).start():])
    state = "off" if exhibit == "deaf-loop" else "on"
    assert re.search(rf"CPU \d runs thread 1 'main', interrupts {state}\n(  #.*\n)*"
                     r"  #\d+ +0x[0-9a-f]+ loop_for_ever\+0x[0-9a-f]+ kernel/sched/test_watch\.c:\d+\n",
                     report), out
    assert report.endswith("\nreport: end\n") and "PANIC" not in out


def spoilt(folder, command):
    """A run whose machine gets this QMP command while it sleeps: (status, stdout, stderr)."""
    path = f"{folder}/q"
    make = Make(folder, CMD="echo first; sleep 86400000; echo last",
                QEMU_ARGS=f"-qmp unix:{path},server=on,wait=off")
    qmp = Qmp(path)
    make.until("> sleep")
    qmp.until_all_sleep()
    qmp.execute(command)
    return make.finish()


def test_a_panic_fails_the_run(tmp_path):
    """An NMI is an exception nobody expects: a panic that explains itself, and a failed make."""
    status, out, err = spoilt(tmp_path, "inject-nmi")
    assert status != 0 and "panicked" in err, out + err
    panic = out[out.index("PANIC: "):]
    for words in ("non-maskable interrupt", "on CPU ", "rip ", "backtrace:", "  #0 ", "cpu_halt",
                  "replay: boot path direct", "cr3"):
        assert words in panic, panic
    assert "> echo last" not in out


    assert all(line_is_true(frame) for frame in panic.splitlines() if frame.startswith("  #"))


def line_is_true(frame):
    """Does addr2line, from the ELF file, say the same as the kernel's own table?

    Code in line from a header has several places; the kernel shows the one in the .c file."""
    number, address, name, *place = frame.split()
    at = int(address, 16) - (number != "#0")  # a return address: the call is before it
    said = subprocess.run(["addr2line", "-i", "-e", f"{hf_config.BUILD}/holdfast.elf", hex(at)],
                          check=True, stdout=subprocess.PIPE, text=True).stdout
    assert name.startswith("?") or place and place[0] in said, (frame, said)
    return True


@pytest.mark.parametrize("command", ["system_reset", "quit"])
def test_a_machine_that_ends_without_a_verdict_fails_the_run(tmp_path, command):
    """A reset (what a triple fault is) or QEMU's end is no success, whatever QEMU's status."""
    status, out, err = spoilt(tmp_path, command)
    assert status != 0 and "without a verdict" in err, out + err
    assert "> echo last" not in out


@pytest.mark.parametrize("variables,words", [
    ({"BOOT": "floppy"}, "direct, grub, grub-uefi, efi"), ({"SMP": "0"}, "SMP=0"),
    ({"PMEM": "/nonexistent/x.img"}, "size=1G"), ({"QEMU_ARGS": "-no-such-option"}, "no-such"),
])
def test_what_cannot_be_started_is_explained(tmp_path, variables, words):
    """A wrong variable or a QEMU error: the reason on stderr, nothing on stdout, status not 0."""
    status, out, err = make_run(tmp_path, CMD="echo a", **variables)
    assert status != 0 and out == "" and words in err, out + err


def test_commands_may_come_from_a_pipe(tmp_path):
    """Without CMD and without a terminal, standard input is typed into the machine."""
    make = Make(tmp_path, stdin=subprocess.PIPE)
    status, out, err = make.finish("echo from a pipe\npoweroff\n")
    assert status == 0 and "from a pipe" in out, out + err


def test_what_stays_mounted_is_named_and_fails(tmp_path):
    """A mapping nobody takes away keeps the mount busy: the run names it and fails."""
    result = run_commands("mount pmem0 /t; write /t/f 0 x; map /t/f", tmp_path)
    assert [c.status for c in result.commands] == [0, 0, 0] and result.status == 1
    end = result.text[result.text.rindex("[status 0]"):]
    assert "/t" in end and "/t/f" in end, result.text


def test_wait_reads_the_serial_line(tmp_path):
    """Machine.wait() takes what a machine prints while it ends, however much that is: else the machine would
    stand still. (Not asked: each line. On a loaded host one of a thousand was not whole.)"""
    with Machine(tmp_path, PMEM="") as m:
        m.send("help; help; help; acpi; selftest -l -v; poweroff")
        assert m.wait(60) in (0, 33)
        lines = m.text().split("selftest -l -v")[-1].splitlines()
        assert len(lines) > 800 and lines[-1] == "power off", m.text()


def users_of(image):
    """QEMU processes that were started with this image."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as line:
                words = line.read()
        except OSError:
            continue
        if image.encode() in words and b"qemu-system" in words.split(b"\0")[0]:
            found.append(int(pid))
    return found


@pytest.mark.unclean("the terminal was closed while it ran")
def test_a_closed_terminal_ends_the_machine(tmp_path):
    """make leads the session, as in `xterm -e make run`: closed, nothing runs on, no image is locked."""
    image = f"{tmp_path}/a.img"
    pid, terminal = pty.fork()
    if not pid:
        os.environ.pop("MAKEFLAGS", None)
        os.chdir(hf_config.ROOT)
        os.execvp("make", ["make", "run", f"PMEM={image},size=16M"])
    said, deadline = b"", time.monotonic() + PATIENCE
    while b"holdfast> " not in said and time.monotonic() < deadline:
        if select.select([terminal], [], [], 1)[0]:
            said += os.read(terminal, 65536)
    assert b"holdfast> " in said and users_of(image), said[-500:]
    os.close(terminal)
    while users_of(image) and time.monotonic() < deadline:
        time.sleep(0.1)
    left = users_of(image)
    for user in left:
        os.kill(user, 9)
    os.waitpid(pid, 0)
    assert not left


def test_the_debugger_says_where_to_type():
    """`make debug`: a prompt of the machine is replaced by how to reach it, however it is cut."""
    from gdb_text import HINT, PROMPT, Shown
    said = b"boot: done\r\n" + PROMPT + b"\rholdfast> help\x1b[K\r\nusage" + PROMPT
    for piece in (1, 3, 7, len(said)):
        shown = Shown()
        out = b"".join(shown.feed(said[at:at + piece]) for at in range(0, len(said), piece))
        assert out == said.replace(PROMPT, HINT), (piece, out)
        assert PROMPT not in out and not shown.pending
