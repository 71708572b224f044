"""A notification service on loopback: what it got, and an event on which it hangs."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.live.fast import until


class Sink:
    """Takes messages as apprise's json:// sends them, and GETs of heartbeats."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.codes: list[int] = []
        self.arrived = threading.Semaphore(0)
        self.open = threading.Event()
        self.open.set()
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                sink.messages.append(json.loads(body))
                self._answer()

            def do_GET(self) -> None:
                self._answer()

            def _answer(self) -> None:
                sink.paths.append(self.path)
                sink.arrived.release()
                sink.open.wait(240)
                try:
                    self.send_response(sink.codes.pop(0) if sink.codes else 200)
                    self.end_headers()
                except OSError:
                    return  # the other side was killed, or gave up

            def log_message(self, *words: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.port}/hook/canary-token-in-a-path"

    @property
    def lines(self) -> list[str]:
        return [line for each in [*self.messages] for line in each["message"].splitlines()]

    def wait_for(self, words: str) -> str:
        found = until(
            lambda: [line for line in self.lines if words in line], f"a line with {words}"
        )
        return found[0]

    def close(self) -> None:
        self.open.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(60)
