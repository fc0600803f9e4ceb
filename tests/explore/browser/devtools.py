# SPDX-License-Identifier: MIT
"""A real browser without a window, driven over a pipe by its DevTools protocol.

The protocol is JSON objects, each ended by a zero byte: the browser reads them from its file
descriptor 3 and writes them to 4. So nothing listens on a port, and no library is needed.
"""

import base64
import fcntl
import json
import os
import shutil
import subprocess
from typing import Any, Dict, List, Optional

PROGRAMS = ("chromium-headless-shell", "chromium")
FLAGS = ["--headless", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu",
         "--disable-background-networking", "--disable-component-update", "--no-first-run",
         "--hide-scrollbars"]


class Browser:
    """One browser with one page. `requests` are the addresses that the page asked for."""

    def __init__(self, folder: str) -> None:
        program = next(filter(None, map(shutil.which, PROGRAMS)), None)
        assert program, f"none of {PROGRAMS} is installed: make explain-check does that"
        (read, self.to), (self.source, write) = os.pipe(), os.pipe()
        from_us, to_us = (fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in (read, write))

        def place() -> None:
            os.dup2(from_us, 3)
            os.dup2(to_us, 4)
        self.process = subprocess.Popen(
            [program, *FLAGS, f"--user-data-dir={folder}"], preexec_fn=place, pass_fds=(3, 4),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for fd in (read, write, from_us, to_us):
            os.close(fd)
        self.rest, self.number, self.session = b"", 0, None
        self.requests: List[str] = []
        self.errors: List[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(domain + ".enable")

    def receive(self) -> Dict[str, Any]:
        """The next message; what the page asks for and complains of is noted."""
        while b"\0" not in self.rest:
            more = os.read(self.source, 1 << 16)
            assert more, "the browser has ended"
            self.rest += more
        text, self.rest = self.rest.split(b"\0", 1)
        message = json.loads(text)
        about = message.get("params", {})
        if message.get("method") == "Network.requestWillBeSent":
            self.requests.append(about["request"]["url"])
        if message.get("method") == "Runtime.exceptionThrown":
            self.errors.append(about["exceptionDetails"]["text"])
        if message.get("method") == "Log.entryAdded" and about["entry"]["level"] == "error":
            self.errors.append(about["entry"]["text"])
        return message

    def call(self, method: str, **params: Any) -> Dict[str, Any]:
        """Calls a method of the protocol; its result."""
        self.number += 1
        message: Dict[str, Any] = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.number:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]

    def open(self, url: str) -> None:
        """Until the page has loaded."""
        self.call("Page.navigate", url=url)
        while self.receive().get("method") != "Page.loadEventFired":
            pass

    def value(self, script: str) -> Any:
        """What an expression is in the page; of a promise, what it brings."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True,
                           awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def press(self, key: str, text: Optional[str] = None) -> None:
        """A key, as from the keyboard: not an event that a script made."""
        for kind in ("keyDown", "keyUp"):
            params = {"type": kind, "key": key}
            if text and kind == "keyDown":
                params["text"] = text
            self.call("Input.dispatchKeyEvent", **params)

    def scheme(self, name: str) -> None:
        """What the reader's system prefers: light or dark."""
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": name}])

    def size(self, width: int, height: int) -> None:
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=False)

    def picture(self, path: str) -> bytes:
        data = base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
        with open(path, "wb") as file:
            file.write(data)
        return data

    def close(self) -> None:
        os.close(self.to)
        self.process.kill()
        self.process.wait()
        os.close(self.source)
