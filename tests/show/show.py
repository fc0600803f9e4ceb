# SPDX-License-Identifier: MIT
"""`make show`: the pages of a running machine, live in a browser.

A machine is started as by `make run`, with a second serial line. This program serves one page on
127.0.0.1 (PORT=8037, or another one if that is taken), which needs nothing from anywhere else, and
sends it what happens as server-sent events. What is pressed there comes back by POST. Only requests
to this host's own name are answered, and only the page itself may press: another page that the same
browser shows cannot.
"""

import http.server
import json
import os
import queue
import re
import secrets
import signal
import sys
import threading
from typing import Any, Dict, List

from machine import ROOT, Machine

import hf_process  # noqa: E402 (machine.py says where)
from hf_config import ConfigError, cause, from_variables, parse_count

HERE = os.path.dirname(os.path.abspath(__file__))
KEPT_LINES = 400
RACES = ("A-1-truncate", "A-1", "C-1", "C-5", "D-1", "F-1", "F-4", "dma-truncate")
TABLE = os.path.join(ROOT, "dax", "lifetime", "table.c")


def lifetimes() -> List[str]:
    """The designs, in the order of the kernel's own table."""
    with open(TABLE, encoding="utf-8") as source:
        names = re.findall(r"&lifetime_(\w+)", source.read())
    return list(dict.fromkeys(name.replace("_", "-") for name in names))


class Show:
    """One machine, and everybody who looks at it."""

    def __init__(self, config) -> None:
        self.lock = threading.Lock()
        self.viewers: List[queue.Queue] = []
        self.lines: List[str] = []
        self.steps: List[Dict[str, Any]] = []
        self.last: Dict[str, Any] = {}
        self.key = secrets.token_hex(16)
        self.machine = Machine(config, self.tell)

    def tell(self, kind: str, data: Any) -> None:
        """To every viewer; what a new one has to know is kept."""
        with self.lock:
            if kind == "line":
                self.lines = self.lines[-KEPT_LINES:] + [data]
            elif kind == "step":
                self.steps = self.steps[-KEPT_LINES:] + [data]
            elif self.last.get(kind) == data:
                return
            else:
                self.last[kind] = data
            for viewer in self.viewers:
                viewer.put((kind, data))

    def join(self) -> queue.Queue:
        viewer: queue.Queue = queue.Queue()
        with self.lock:
            for kind, kept in (("line", self.lines), ("step", self.steps)):
                for data in kept:
                    viewer.put((kind, data))
            for kind, data in self.last.items():
                viewer.put((kind, data))
            self.viewers.append(viewer)
        return viewer

    def leave(self, viewer: queue.Queue) -> None:
        with self.lock:
            self.viewers.remove(viewer)

    def press(self, what: Dict[str, Any]) -> str:
        """What a button of the page means; the refusal, or nothing."""
        action, m = what.get("do"), self.machine
        if action in ("stop", "cont", "step", "play"):
            getattr(m, action)()
        elif action == "pace":
            m.pace = min(60.0, max(0.0, float(what["seconds"])))
        elif action == "type":
            line = str(what["line"])
            if len(line) > 1000 or not line.isprintable():
                return "a line is at most 1000 printable characters"
            m.type(line)
        elif action == "race":
            if what["race"] not in RACES or what["lifetime"] not in lifetimes():
                return "there is no such race or design"
            with self.lock:
                self.steps.clear()
            m.by_hand = bool(what.get("hand"))
            m.type(f"race {what['race']} lifetime={what['lifetime']}")
        else:
            return f"{action} is no button"
        return ""

    def page(self) -> str:
        """The one page, with its style, its script and what can be chosen."""
        def asset(name: str) -> str:
            with open(os.path.join(HERE, name), encoding="utf-8") as file:
                return file.read()
        facts = json.dumps({"key": self.key, "races": RACES, "lifetimes": lifetimes()})
        return (asset("page.html").replace("/*STYLE*/", asset("page.css"))
                .replace("/*FACTS*/", facts.replace("</", "<\\/")).replace("/*SCRIPT*/", asset("page.js"))
                .replace("NONCE", self.key))


class Handler(http.server.BaseHTTPRequestHandler):
    """GET /, GET /events, POST /press."""

    protocol_version = "HTTP/1.1"
    show: Show

    def log_message(self, *_args) -> None:  # pylint: disable=arguments-differ
        """Nothing: the terminal is for what matters."""

    def refuse(self, status: int, text: str) -> None:
        self.reply(status, text.encode() + b"\n", "text/plain; charset=utf-8")

    def reply(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Content-Security-Policy",
                         f"default-src 'none'; style-src 'nonce-{self.show.key}'; "
                         f"script-src 'nonce-{self.show.key}'; connect-src 'self'; "
                         "base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
        self.end_headers()
        self.wfile.write(body)

    def is_ours(self) -> bool:
        """Asked for by this host's own name: another name that leads here is somebody's trick."""
        port = self.server.server_address[1]
        if self.headers.get("Host") in (f"127.0.0.1:{port}", f"localhost:{port}"):
            return True
        self.refuse(403, "this page is for 127.0.0.1 only")
        return False

    def do_GET(self) -> None:
        if not self.is_ours():
            return
        if self.path == "/":
            self.reply(200, self.show.page().encode(), "text/html; charset=utf-8")
        elif self.path == "/events":
            self.events()
        else:
            self.refuse(404, "there is one page: /")

    def events(self) -> None:
        """Server-sent events until the viewer has gone."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close")
        self.end_headers()
        viewer = self.show.join()
        try:
            while True:
                try:
                    kind, data = viewer.get(timeout=5)
                    text = f"event: {kind}\ndata: {json.dumps(data)}\n\n"
                except queue.Empty:
                    text = ": still here\n\n"
                self.wfile.write(text.encode())
        except OSError:
            self.close_connection = True
        finally:
            self.show.leave(viewer)

    def do_POST(self) -> None:
        if not self.is_ours():
            return
        length = self.headers.get("Content-Length", "")
        size = int(length) if length.isdecimal() else sys.maxsize
        if self.path != "/press" or size > 4096:
            self.refuse(404, "there is one thing to press: /press")
        elif self.headers.get("X-Key") != self.show.key:
            self.refuse(403, "pressed by another page")
        else:
            self.press(self.rfile.read(size))

    def press(self, body: bytes) -> None:
        try:
            what = json.loads(body)
            text = self.show.press(what) if isinstance(what, dict) else "not understood: no object"
        except (ValueError, KeyError, TypeError) as error:
            text = f"not understood: {error}"
        self.reply(400 if text else 200, text.encode(), "text/plain; charset=utf-8")


def serve(show: Show, port: int) -> http.server.ThreadingHTTPServer:
    """On this port, or on any if it is taken."""
    handler = type("Ours", (Handler,), {"show": show})
    http.server.ThreadingHTTPServer.daemon_threads = True
    try:
        return http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError:
        return http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)


def ended(*_args) -> None:
    raise KeyboardInterrupt


def main() -> int:
    """Until the machine is off, or Ctrl-C."""
    hf_process.die_with_parent(signal.SIGTERM)
    signal.signal(signal.SIGTERM, ended)
    try:
        port = parse_count(os.environ.get("PORT") or "8037", "PORT", 0, 65535)
        show = Show(config_of(os.environ))
    except (ConfigError, RuntimeError) as error:
        print(f"show: {error}", file=sys.stderr)
        return 1
    except OSError as error:  # a full disk, another user's folder
        print(f"show: {cause(error)}", file=sys.stderr)
        return 1
    server = serve(show, port)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"show: http://127.0.0.1:{server.server_address[1]}/  (Ctrl-C ends it and the machine)", flush=True)
    try:
        show.machine.process.process.wait()
    except KeyboardInterrupt:
        pass
    finally:
        show.machine.close()
    return 0


def config_of(env):
    """The machine that the variables of `make run` describe, at its prompt."""
    config = from_variables(env)
    config.cmd = None
    return config


if __name__ == "__main__":
    sys.exit(main())
