# SPDX-License-Identifier: MIT
"""What of the serial line is shown between gdb's lines: pure text, tested without gdb."""

PROMPT = b"\rholdfast> \x1b[K"
HINT = (b"(the machine waits for a command; the keyboard is gdb's: press Ctrl-C, then type\n"
        b" `serial COMMAND` and `continue`)\n")


class Shown:
    """A prompt that waits would invite to type where nothing arrives; this says where to type."""

    def __init__(self):
        self.pending = b""

    def feed(self, data: bytes) -> bytes:
        """The next bytes of the serial line; what to show of them. A prompt cut in two is kept."""
        data = self.pending + data
        keep = next((n for n in range(len(PROMPT) - 1, 0, -1) if data.endswith(PROMPT[:n])), 0)
        self.pending = data[len(data) - keep:]
        return data[:len(data) - keep].replace(PROMPT, HINT)
