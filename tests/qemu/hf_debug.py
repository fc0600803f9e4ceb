# SPDX-License-Identifier: MIT
"""`make debug`: the machine and gdb together, in one terminal.

QEMU is stopped before its first instruction; gdb has the kernel's symbols and sits at the prompt.
gdb owns the keyboard, so the serial line appears between its lines, and `serial TEXT` types TEXT
into the machine (tests/qemu/gdb_serial.py). Where the machine shows its prompt, that is said. Leaving gdb ends the machine.
"""

import os
import shutil
import signal
import subprocess

import hf_media
from hf_config import BUILD, ROOT, Config, ConfigError
from hf_process import Process, describe, say


def gdb_command(config: Config, process: Process) -> list:
    return ["gdb", "-q", hf_media.built(config, hf_media.KERNEL),
            "-ex", "set confirm off", "-ex", "set pagination off",
            "-ex", f"target remote {process.path('gdb')}",
            "-ex", f"source {os.path.join(ROOT, 'tests', 'qemu', 'gdb_serial.py')}"]


def debug(config: Config) -> int:
    if not shutil.which("gdb"):
        raise ConfigError("gdb is not installed; `make debug` as root installs it")
    log = os.path.join(BUILD, "debug.log")
    serial = ["-chardev", f"socket,id=ser,path=@/serial,server=on,wait=off,logfile={log}",
              "-serial", "chardev:ser", "-monitor", "none", "-S",
              "-gdb", "unix:@/gdb,server=on,wait=off"]
    say("`hbreak kernel_main`, `continue`; `serial nfit`, `continue` types nfit into the machine; "
        f"the serial line is also kept in {os.path.relpath(log)}")
    # Ctrl-C is for gdb, which stops the machine with it: neither we nor QEMU may die of it. The
    # machine gets its own session; what gdb inherits as handled goes back to its default there.
    signal.signal(signal.SIGINT, lambda *_: None)
    process = Process(config, serial, describe(config), stdin=subprocess.DEVNULL,
                      start_new_session=True)
    try:
        while not os.path.exists(process.path("gdb")):
            if process.process.poll() is not None:
                raise ConfigError("QEMU did not start; its message is above")
        env = dict(os.environ, HOLDFAST_SERIAL=process.path("serial"),
                   HOLDFAST_TESTS=os.path.join(ROOT, "tests", "qemu"))
        return subprocess.run(gdb_command(config, process), env=env, check=False).returncode
    finally:
        process.stop()
