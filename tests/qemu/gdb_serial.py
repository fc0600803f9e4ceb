# SPDX-License-Identifier: MIT
"""Runs inside gdb (`make debug`): the machine's serial line, shown and typed into from there."""

import os
import socket
import sys
import threading

import gdb  # pylint: disable=import-error

sys.path.insert(0, os.environ["HOLDFAST_TESTS"])
from gdb_text import Shown  # noqa: E402 (its folder is known only now)

line = socket.socket(socket.AF_UNIX)
line.connect(os.environ["HOLDFAST_SERIAL"])


def show():
    """Ends when the machine does."""
    shown = Shown()
    while True:
        data = line.recv(4096)
        if not data:
            return
        os.write(1, shown.feed(data))


class Serial(gdb.Command):
    """serial TEXT: types TEXT and Enter into the machine, which reads it as soon as it runs."""

    def __init__(self):
        super().__init__("serial", gdb.COMMAND_USER)

    def invoke(self, argument, from_tty):
        line.sendall(argument.encode() + b"\r")


Serial()
threading.Thread(target=show, daemon=True).start()
