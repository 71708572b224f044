"""`tradenb dashboard`: the panel as a page of its own, without Jupyter, on this machine alone.

The server listens on loopback. A page needs the token that the command prints: the first request
brings it and gets a cookie for it. Requests that name another host, or come from a page of another
origin, are refused, so that no other website in the same browser reaches the runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hmac
import json
import logging
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from aiohttp import WSMsgType, web

from tradenb.errors import UsageError
from tradenb.panel.page_dashboard import PageDashboard
from tradenb.panel.static_fallback import asset, script_of_view, style
from tradenb.view.charts.chart_script import asking_script, plotly_script

log = logging.getLogger("tradenb")

HOST: Final = "127.0.0.1"
MOST_PAGES: Final = 8
_MOST_WAITING: Final = 300
"""Messages that a page may be behind; then it is closed, and begins anew."""
_LARGEST: Final = 64 * 1024
_HEARTBEAT_S: Final = 20.0
_NOT_ALLOWED: Final = (
    "open the address that `tradenb dashboard` printed: it holds the token of this page"
)
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; img-src data:; "
    "style-src 'self' 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>tradenb dashboard</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="style.css">
</head>
<body data-control="{control}">
<main id="dashboard"><noscript>This page needs JavaScript.</noscript></main>
<script type="module" src="page.js"></script>
</body>
</html>
"""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class PageServer:
    """Serves the panel of a home to browsers of this machine; an async context manager.

    Parameters
    ----------
    home : path or None
        Default `TRADENB_HOME` or ./dump.
    port : int
        0 takes any free one.
    control : bool
        Whether the buttons of the pages are obeyed.

    Raises
    ------
    UsageError
        When the port is taken.
    """

    def __init__(self, home: str | Path | None, *, port: int, control: bool) -> None:
        self.home, self.port, self.control = home, port, control
        self.token = secrets.token_urlsafe(24)
        self._pages: set[web.WebSocketResponse] = set()
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> PageServer:
        app = web.Application(middlewares=[self._guard])
        app.router.add_get("/", self._show)
        app.router.add_get("/view", self._follow)
        for path, kind, text in (
            ("/page.js", "text/javascript", _script()),
            ("/plotly.js", "text/javascript", plotly_script()),
            ("/style.css", "text/css", f"{style()}\n{asset('page.css')}"),
        ):
            app.router.add_get(path, _file(text, kind))
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, self.port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            if error.errno != errno.EADDRINUSE:
                raise
            raise UsageError(
                f"port {self.port} is taken by another program; give another one with --port, or "
                "--port 0 for any that is free"
            ) from error
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for page in [*self._pages]:
            await page.close(message=b"tradenb dashboard has ended")
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def url(self) -> str:
        """Return the address to open, with its token."""
        return f"http://{HOST}:{self.port}/?token={self.token}"

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse what is not from a page of this server with its token."""
        if request.host not in (f"{HOST}:{self.port}", f"localhost:{self.port}"):
            return web.Response(status=403, text=f"this server is not {request.host}\n")
        given = request.query.get("token") or request.cookies.get(self._cookie, "")
        if not hmac.compare_digest(given.encode(errors="replace"), self.token.encode()):
            return web.Response(status=403, text=f"{_NOT_ALLOWED}\n")
        found = await handler(request)
        if not found.prepared:
            found.headers.update(_HEADERS)
        return found

    @property
    def _cookie(self) -> str:
        # Cookies do not tell ports apart.
        return f"tradenb-{self.port}"

    async def _show(self, request: web.Request) -> web.Response:
        """Return the page; a token in the address becomes a cookie, and leaves the address."""
        if "token" not in request.query:
            page = _PAGE.format(control="yes" if self.control else "no")
            return web.Response(text=page, content_type="text/html")
        found = web.Response(status=303, headers={"Location": "/"})
        found.set_cookie(self._cookie, self.token, httponly=True, samesite="Strict", path="/")
        return found

    async def _follow(self, request: web.Request) -> web.StreamResponse:
        """Keep one page up to date for as long as it is open."""
        if request.headers.get("Origin") != f"http://{request.host}":
            return web.Response(status=403, text="only pages of this server may follow the runs\n")
        if len(self._pages) >= MOST_PAGES:
            words = f"{MOST_PAGES} pages are open already; close one\n"
            return web.Response(status=503, text=words)
        socket = web.WebSocketResponse(heartbeat=_HEARTBEAT_S, max_msg_size=_LARGEST)
        self._pages.add(socket)
        try:
            await socket.prepare(request)
            await _serve(socket, self.home, control=self.control)
        finally:
            self._pages.discard(socket)
        return socket


async def _serve(socket: web.WebSocketResponse, home: str | Path | None, *, control: bool) -> None:
    """Send a page what changes, and do what it says, until it is closed."""
    loop, waiting = asyncio.get_running_loop(), asyncio.Queue[str]()

    def push(message: dict[str, Any]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(waiting.put_nowait, json.dumps(message))

    # On a thread: it reads files, and so does all that a page asks for.
    dashboard = await asyncio.to_thread(PageDashboard, home, push, control=control)
    sending = asyncio.create_task(_send(socket, waiting))
    try:
        await asyncio.to_thread(dashboard.begin)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await asyncio.to_thread(dashboard.take, message.data)
    finally:
        sending.cancel()
        await asyncio.to_thread(dashboard.close)


async def _send(socket: web.WebSocketResponse, waiting: asyncio.Queue[str]) -> None:
    with contextlib.suppress(ConnectionError):  # the page has gone; the reader sees it too
        while waiting.qsize() < _MOST_WAITING:
            await socket.send_str(await waiting.get())
        log.info("a page of the dashboard does not keep up; it is closed and begins anew")
        await socket.close()


def _file(text: str, kind: str) -> Handler:
    async def answer(request: web.Request) -> web.Response:
        del request
        return web.Response(text=text, content_type=kind)

    return answer


def _script() -> str:
    """Return the view with the model of a page in the place of the widget's."""
    return f"{asking_script()}\n{script_of_view()}\n{asset('page.js')}"
