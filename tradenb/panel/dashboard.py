"""`tn.dashboard()`: the widget. Values only, sent by the pump's thread at a bounded rate and size.

Events are appended by messages; whoever opens the page later gets the newest of them with the
state. Requests come as messages too, and as files that the view leaves through the server itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import threading
from pathlib import Path
from time import monotonic, time_ns
from typing import Any, ClassVar, Final
from uuid import uuid4

import anywidget
import traitlets

from tradenb.call_errors import explained
from tradenb.errors import StateError, TradenbError
from tradenb.panel.attention import Attention
from tradenb.panel.button_requests import marker_of, prepare, take
from tradenb.panel.dashboard_model import Board
from tradenb.panel.offline_file import Sheet
from tradenb.panel.refresh_thread import pump
from tradenb.panel.static_fallback import Still, publish, script_of_view, style
from tradenb.panel.static_html import dashboard_html
from tradenb.panel.watch_runs import Watch

_PROBE_S: Final = 2.0
_SHOWN: Final = ("rows", "more", "health", "pictures")
# The picture comes beside it, as an output of its own.
_NO_PAGE: Final = "<!-- the picture is below -->"


def _current_events(_: object, widget: Dashboard) -> dict[str, Any]:
    """Return the newest events, whatever the trait was set to: made when somebody asks."""
    with widget._feeding:
        return {"total": widget.board.total, "rows": [*widget.board.events]}


class Dashboard(anywidget.AnyWidget):
    """A live view of runs, wherever they run; see `tn.dashboard`."""

    _esm: ClassVar[str] = script_of_view()
    _css: ClassVar[str] = style()

    rows: traitlets.List[dict[str, Any]] = traitlets.List().tag(sync=True)
    more = traitlets.Int(0).tag(sync=True)
    health = traitlets.Dict().tag(sync=True)
    pictures = traitlets.Dict().tag(sync=True)
    homes = traitlets.Dict().tag(sync=True)
    chosen = traitlets.Unicode("").tag(sync=True)
    beat = traitlets.Int(0).tag(sync=True)
    frozen = traitlets.Bool(False).tag(sync=True)
    still = traitlets.Unicode("").tag(sync=True)
    events = traitlets.Int(0).tag(sync=True, to_json=_current_events)

    def __init__(self, home: str | Path | None = None) -> None:
        self.board = Board(Watch(home))
        self._still = Still(uuid4().hex)
        self._sheet = Sheet(self.board.watch.home, self._still.id)
        self._folder = str(self.board.watch.home.root)
        self._free = _Free()
        self._attention = Attention(monotonic())
        self._feeding = threading.RLock()
        self.board.look()
        super().__init__(events=1, still=self._still.id)
        self._show()
        self.on_msg(self._hear)
        self.observe(self._choose, "chosen")
        pump.add(self)

    def __repr__(self) -> str:
        words = " · ".join(self.board.health.get("words", ()))
        return f"<dashboard of {self.board.watch.home.root}: {words}>"

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """Add a static picture for where no widgets are."""
        made = super()._repr_mimebundle_(**kwargs)
        if made is None:
            return None
        data, metadata = made
        page = dashboard_html(self.board)
        return {**data, "text/html": page, "text/plain": repr(self)}, metadata

    def _ipython_display_(self) -> None:
        """Show the widget, and below it the picture for where it is not."""
        made = self._repr_mimebundle_()
        if made is None:
            return
        data, metadata = made
        publish({**data, "text/html": _NO_PAGE}, metadata)
        with self._feeding:
            self._still.display(self.board, self._folder, _beside(self._folder))
            if self.frozen:
                self._still.finish(self.board)

    def feed(self) -> None:
        """Look at the runs and send what has changed, if anybody looks; any thread."""
        with self._feeding:
            now = monotonic()
            free = self._free.now(now)
            due = self._attention.due(now, free=free)
            if due == "all":
                self._attention.looked(now, self._look())
                self._still.renew(self.board, self._folder, _beside(self._folder), now)
            if due != "nothing" and now - self._attention.beat >= 1.0:
                self.beat = time_ns() // 1_000_000
                self._attention.beaten(now)
            self._leave(now, free=free)

    def freeze(self) -> None:
        """Show this moment from now on, without buttons; the runs go on."""
        pump.remove(self)
        with self._feeding:
            if not self.frozen:
                self.board.watch.look_anew()
                self._look()
                self.frozen = True
                self._still.finish(self.board)
            self._sheet.remove()
        self.board.watch.close()

    def close(self) -> None:
        """Remove the widget from the page; the runs go on."""
        pump.remove(self)
        if hasattr(self, "_feeding"):  # a widget that could not be made is closed as well
            with self._feeding:
                self._sheet.remove()
            self.board.watch.close()
        super().close()

    def _leave(self, now: float, *, free: bool) -> None:
        """Leave what is shown as a file while the kernel cannot be asked for it."""
        if free or not self.board.rows:
            self._sheet.remove()
            return
        shown = {name: getattr(self.board, name) for name in _SHOWN}
        events = _current_events(None, self)
        self._sheet.write({**shown, "homes": self.homes, "events": events}, now)

    def _look(self) -> int:
        """Send what has changed; return how many bytes that was, about."""
        before = self.board.total
        fresh = self.board.look()
        size = self._show()
        if fresh:
            self.send({"type": "append", "after": before, "total": self.board.total, "rows": fresh})
            size += len(json.dumps(fresh))
        return size

    def _show(self) -> int:
        board = self.board
        self._prepare()
        size = 0
        for name in _SHOWN:
            value = getattr(board, name)
            if value != getattr(self, name):
                size += len(json.dumps(value))
                setattr(self, name, value)
        return size

    def _prepare(self) -> None:
        """Make the folders of requests to running runs, and say how their homes are found."""
        places = self.board.places()
        homes = dict(self.homes)
        for row in self.board.rows:
            place = places[row["key"]]
            root = str(place.home.root)
            if row["control"] is None:
                continue
            with contextlib.suppress(OSError, StateError):
                prepare(place)
                if root not in homes:
                    homes[root] = {"id": marker_of(place.home), "beside": _beside(root)}
        if homes != self.homes:
            self.homes = homes

    def _choose(self, change: dict[str, Any]) -> None:
        self.board.chosen = change["new"]
        pump.wake()

    def _hear(self, _: object, message: Any, __: object) -> None:
        """Take a message of a view; on whichever thread the kernel hears it."""
        self._attention.heard = monotonic()
        match message.get("type") if isinstance(message, dict) else None:
            case "ask":
                self._answer(message)
            case "events":
                self.send({"type": "events", **_current_events(None, self)})
        pump.wake()

    def _answer(self, message: dict[str, Any]) -> None:
        reply = {"type": "taken", "id": str(message.get("id"))}
        try:
            channel = take(self.board.watch, self.board.places(), message)
        except TradenbError as error:
            self.send({**reply, "channel": "none", "words": str(error)})
        else:
            self.send({**reply, "channel": channel, "words": ""})


class _Free:
    """Whether the kernel's loop answers, or a cell keeps it busy."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        with contextlib.suppress(RuntimeError):
            self._loop = asyncio.get_running_loop()
        self._asked: float | None = None
        self._answered = threading.Event()

    def now(self, now: float) -> bool:
        if self._loop is None:
            return True
        if self._asked is None or self._answered.is_set():
            self._answered.clear()
            self._asked = now
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._answered.set)
            return True
        return now - self._asked < _PROBE_S


def _beside(root: str) -> str:
    """Return the folder as seen from the notebook, if it is below it."""
    found = os.path.relpath(root)
    return "" if found.startswith("..") else found.replace(os.sep, "/")


@explained("tn.dashboard")
def dashboard(home: str | Path | None = None) -> Dashboard:
    """Show all live runs: positions, prices, equity, events, and buttons that stop them.

    It can be made anew in any cell, kernel or notebook while the runs go on: all it shows is read
    from what they wrote. It runs nothing and keeps nothing running.

    Parameters
    ----------
    home : path, optional
        Folder of the state, default `TRADENB_HOME` or ./dump. Runs and rehearsals of this process
        are shown wherever their state is.

    Returns
    -------
    Dashboard
        A widget. `freeze()` keeps the picture of one moment, `close()` removes it; the runs go on.
    """
    return Dashboard(home)
