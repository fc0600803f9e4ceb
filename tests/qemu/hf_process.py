# SPDX-License-Identifier: MIT
"""One QEMU process: started so that it cannot outlive us, watched, and its end understood."""

import ctypes
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from typing import List, Optional

import hf_command
import hf_media
import hf_qemu
from hf_config import BUILD, Config

PR_SET_PDEATHSIG = 1
# QEMU's status is (value written to isa-debug-exit) << 1 | 1; values: exit_code, kernel/trap/trap.h.
RC_OK, RC_FAILED, RC_PANIC = 0x10 << 1 | 1, 0x11 << 1 | 1, 0x12 << 1 | 1
# Control socket of a machine; @ is the run's folder. And how a machine is asked what it does.
QMP = ["-qmp", "unix:@/qmp,server=on,wait=off"]
ASK_BREAK = {"execute": "chardev-send-break", "arguments": {"id": "ser"}}
ASK_NMI = {"execute": "inject-nmi"}
FIRST_LINE = b"boot: entered by"  # the kernel's first output, boot/entry.asm


def verdict(rc: Optional[int]) -> str:
    """What QEMU's exit status says, as a sentence. Empty: every command succeeded."""
    if rc == RC_OK:
        return ""
    if rc == RC_FAILED:
        return "a command failed, or something could not be unmounted"
    if rc == RC_PANIC:
        return "the kernel panicked"
    if rc == 0:
        return "the machine went off without a verdict (a triple fault, or an ACPI power-off)"
    if rc == -signal.SIGBUS:
        return ("QEMU was ended by SIGBUS: where a DIMM's image lies there is no room for what is written (`df` tells), or the "
                "image was cut meanwhile; PMEM= names others")
    if rc is not None and rc < 0:
        return f"QEMU was ended by signal {-rc}"
    return f"QEMU ended with status {rc}, which is none of the kernel's; its message is above"


def done(file, command) -> bool:
    """Sends a command, and reads until its answer has come: events (STOP, RESUME) may come before it."""
    file.write(json.dumps(command) + "\n")
    file.flush()
    while True:
        answer = json.loads(file.readline())
        if "return" in answer or "error" in answer:
            return "return" in answer


def die_with_parent(signum: int = signal.SIGKILL) -> None:
    """The host kernel sends us this signal when our parent ends, however it ended.

    In QEMU, between fork and exec: it never outlives us. In run.py: we never outlive make."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signum)


def hang_up_with_terminal() -> None:
    """When our terminal closes, this process gets SIGHUP, whoever leads the session.

    The host kernel tells the session's leader only. When that is make, it waits for us, and we for
    QEMU, which would run on for ever with its images locked."""
    terminal = next((fd for fd in (0, 1, 2) if os.isatty(fd)), None)
    if terminal is None:
        return

    def watch() -> None:
        poll = select.poll()
        poll.register(terminal, 0)  # no event asked for: a hang-up is told all the same
        poll.poll()
        os.kill(os.getpid(), signal.SIGHUP)

    threading.Thread(target=watch, daemon=True).start()


class Process:
    """Images locked and made, boot medium made, QEMU running; stop() undoes it all in reverse."""

    def __init__(self, config: Config, serial: List[str], me: str, patience: float = 0, **popen):
        self.process: Optional[subprocess.Popen] = None
        self.locks: List[int] = []
        # Short, because the path of a Unix socket has at most 107 characters.
        self.folder = tempfile.mkdtemp(prefix="holdfast.")
        try:
            self._start(config, serial, me, patience, popen)
        except BaseException:
            self.stop()
            raise

    def _start(self, config, serial, me, patience, popen) -> None:
        hf_qemu.check(config)  # before anything is locked or made
        self.locks = hf_media.prepare_dimms(config, me, patience)
        if config.disk:
            hf_media.prepare_disk(config.disk)
        media = hf_media.media_args(config, self.folder)
        serial = [word.replace("@", self.folder) for word in serial]
        self.command = hf_command.qemu_command(config, media, serial)
        self.process = subprocess.Popen(self.command, pass_fds=self.locks,
                                        preexec_fn=die_with_parent, **popen)

    def path(self, name: str) -> str:
        return os.path.join(self.folder, name)

    def read(self, name: str) -> bytes:
        """What a file of the run's folder holds; it goes with stop(). Nothing: there is none."""
        try:
            with open(self.path(name), "rb") as file:
                return file.read()
        except OSError:
            return b""

    def wait(self, timeout: Optional[float] = None) -> int:
        return self.process.wait(timeout)

    def ask(self, command, seconds: float = 2) -> bool:
        """Sends a command to QEMU's control socket, and waits until it is done. False: QEMU refuses it, or does not
        answer for so many seconds."""
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(seconds)
            try:
                control.connect(self.path("qmp"))
                with control.makefile("rw") as file:
                    file.readline()  # the greeting
                    return all(done(file, line) for line in ({"execute": "qmp_capabilities"}, command))
            except (OSError, ValueError):
                return False

    def stop(self) -> None:
        """Ends QEMU if it still runs, gives the images back, removes the run's folder."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for fd in self.locks:
            os.close(fd)
        self.locks = []
        shutil.rmtree(self.folder, ignore_errors=True)


class SerialFilter:
    """The serial line from the kernel's first line on; what firmware said before is kept apart.

    Line ends come as CR LF, as a terminal wants them; a file or a pipe wants LF."""

    def __init__(self):
        self.before = b""
        self.started = False
        self.pending = b""

    def feed(self, data: bytes) -> bytes:
        if not self.started:
            self.before += data
            at = self.before.find(FIRST_LINE)
            if at < 0:
                return b""
            self.started = True
            data, self.before = self.before[at:], self.before[:at]
        data = self.pending + data
        self.pending = b"\r" if data.endswith(b"\r") else b""
        return data[:len(data) - len(self.pending)].replace(b"\r\n", b"\n")


def describe(config: Config) -> str:
    """How this run names itself to another one that wants the same image."""
    text = f"process {os.getpid()} (BOOT={config.boot}"
    if config.cmd is not None:
        text += f' CMD="{config.cmd[:100]}"'
    return text + f", {os.path.dirname(BUILD)})"


def say(text: str) -> None:
    print(f"run: {text}", file=sys.stderr, flush=True)
