"""`tn.dashboard()`: the widget. Values only, sent by one thread at a bounded rate and size.

Events are appended by messages; a page that is opened later gets the newest of them with the state.
Requests come as messages too, and as files that the view leaves through the server itself.
"""

from __future__ import annotations

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
from tradenb.errors import TradenbError, UsageError
from tradenb.live.resume_run import resume
from tradenb.panel.button_requests import accept, marker_of
from tradenb.panel.dashboard_model import DashboardModel
from tradenb.panel.offline_file import OfflineFile
from tradenb.panel.refresh_thread import KernelProbe, RefreshPace, refresh_thread
from tradenb.panel.static_fallback import StaticFallback, script_of_view, style
from tradenb.panel.static_html import dashboard_html
from tradenb.panel.watch_runs import Watch
from tradenb.view.charts.chart_data import chart_json
from tradenb.view.charts.chart_script import asking_script, packed_library
from tradenb.view.charts.notebook_output import publish

NARROWEST: Final = 240
WIDEST: Final = 2_400
_VALUES: Final = ("rows", "more", "orders", "health", "pictures")
# The picture comes beside it, as an output of its own.
_NO_PAGE: Final = "<!-- the picture is below -->"


def _current_events(_: object, widget: Dashboard) -> dict[str, Any]:
    """Return the newest events, whatever the trait was set to: made when a page asks."""
    with widget._refreshing:
        return {"total": widget.model.total, "rows": [*widget.model.events]}


class Dashboard(anywidget.AnyWidget):
    """A live view of runs, wherever they run; see `tn.dashboard`."""

    _esm: ClassVar[str] = f"{asking_script()}\n{script_of_view()}"
    _css: ClassVar[str] = style()

    rows: traitlets.List[dict[str, Any]] = traitlets.List().tag(sync=True)
    more = traitlets.Int(0).tag(sync=True)
    orders = traitlets.Dict().tag(sync=True)
    health = traitlets.Dict().tag(sync=True)
    pictures = traitlets.Dict().tag(sync=True)
    homes = traitlets.Dict().tag(sync=True)
    chosen = traitlets.Unicode("").tag(sync=True)
    width = traitlets.Int(0).tag(sync=True)
    beat = traitlets.Int(0).tag(sync=True)
    frozen = traitlets.Bool(False).tag(sync=True)
    fallback = traitlets.Unicode("").tag(sync=True)
    events = traitlets.Int(0).tag(sync=True, to_json=_current_events)

    def __init__(self, home: str | Path | None = None) -> None:
        self.model = DashboardModel(Watch(home))
        self._fallback = StaticFallback(uuid4().hex)
        self._offline = OfflineFile(self.model.watch.home, self._fallback.id)
        self._folder = str(self.model.watch.home.root)
        self._kernel = KernelProbe()
        self._pace = RefreshPace(monotonic())
        self._refreshing = threading.RLock()
        self.model.poll()
        super().__init__(events=1, fallback=self._fallback.id)
        self._show()
        self.on_msg(self._on_message)
        self.observe(self._choose, "chosen")
        self.observe(self._resize, "width")
        refresh_thread.add(self)

    def __repr__(self) -> str:
        words = " · ".join(self.model.health.get("words", ()))
        return f"<dashboard of {self.model.watch.home.root}: {words}>"

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """Add a static picture for where no widgets are."""
        made = super()._repr_mimebundle_(**kwargs)
        if made is None:
            return None
        data, metadata = made
        page = dashboard_html(self.model)
        return {**data, "text/html": page, "text/plain": repr(self)}, metadata

    def _ipython_display_(self) -> None:
        """Show the widget, and below it the picture for where it is not."""
        made = self._repr_mimebundle_()
        if made is None:
            return
        data, metadata = made
        publish({**data, "text/html": _NO_PAGE}, metadata)
        with self._refreshing:
            self._fallback.display(self.model, self._folder, _beside(self._folder))
            if self.frozen:
                self._fallback.finish(self.model)

    def refresh(self) -> None:
        """Poll the runs and send what has changed, if somebody looks; any thread."""
        with self._refreshing:
            now = monotonic()
            free = self._kernel.is_free(now)
            due = self._pace.due(now, free=free)
            if due == "all":
                self._pace.sent, self._pace.size = now, self._send_changes()
                if self._fallback.displayed:
                    self._fallback.replace(self.model, self._folder, _beside(self._folder), now)
            # A beat says that the kernel lives; a view that misses some calls it gone.
            if due != "nothing" and now - self._pace.beat >= 1.0:
                self.beat = time_ns() // 1_000_000
                self._pace.beat = now
            self._keep_offline(now, free=free)

    def freeze(self) -> None:
        """Show this moment from now on, without buttons; the runs go on."""
        refresh_thread.remove(self)
        with self._refreshing:
            if not self.frozen:
                # The last picture stays: it must not show a run that ended a moment ago as running.
                self.model.watch.forget_locks()
                self._send_changes()
                self.frozen = True
                self._fallback.finish(self.model)
            self._offline.remove()
        self.model.watch.close()

    def close(self) -> None:
        """Remove the widget from the page; the runs go on."""
        refresh_thread.remove(self)
        if hasattr(self, "_refreshing"):  # a widget that could not be made is closed as well
            with self._refreshing:
                self._offline.remove()
            self.model.watch.close()
        super().close()

    def _keep_offline(self, now: float, *, free: bool) -> None:
        """Write what is shown to a file while the kernel is too busy to send it."""
        if free or not self.model.rows:
            if self._offline.written is not None:
                self._offline.remove()
            return
        shown = {name: getattr(self.model, name) for name in _VALUES}
        events = _current_events(None, self)
        self._offline.write({**shown, "homes": self.homes, "events": events}, now)

    def _send_changes(self) -> int:
        """Send what has changed; return how many bytes that was, about."""
        before = self.model.total
        fresh = self.model.poll()
        size = self._show()
        if fresh:
            self.send({"type": "append", "after": before, "total": self.model.total, "rows": fresh})
            size += len(json.dumps(fresh))
        return size

    def _show(self) -> int:
        model = self.model
        self._find_homes()
        size = 0
        for name in _VALUES:
            value = getattr(model, name)
            if value != getattr(self, name):
                size += len(json.dumps(value))
                setattr(self, name, value)
        return size

    def _find_homes(self) -> None:
        """Say how a view finds the homes of running runs on its server."""
        locations = self.model.locations()
        homes = dict(self.homes)
        for row in self.model.rows:
            location = locations[row["key"]]
            root = str(location.home.root)
            if row["control"] is None or root in homes:
                continue
            if marker := marker_of(location.home):
                homes[root] = {"id": marker, "beside": _beside(root)}
        if homes != self.homes:
            self.homes = homes

    def _choose(self, change: dict[str, Any]) -> None:
        self.model.chosen = change["new"]
        refresh_thread.wake()

    def _resize(self, change: dict[str, Any]) -> None:
        """Draw the pictures as wide as they are shown."""
        self.model.width = min(max(int(change["new"]), NARROWEST), WIDEST)
        refresh_thread.wake()

    def _on_message(self, _: object, message: Any, __: object) -> None:
        """Handle a message of a view; on any thread of the kernel."""
        self._pace.answered = monotonic()  # whatever it says: somebody looks
        match message.get("type") if isinstance(message, dict) else None:
            case "request":
                self._answer(message)
            case "events":
                self.send({"type": "events", **_current_events(None, self)})
            case "chart":
                with self._refreshing:
                    chart = self.model.chart()
                    key = self.model.pictures.get("key", "")
                data = None if chart is None else chart_json(chart)
                self.send({"type": "chart", "key": key, "data": data})
            case "library":
                self.send({"type": "library"}, buffers=[packed_library()])
        refresh_thread.wake()

    def _resume(self, message: dict[str, Any]) -> None:
        """Go on with a run; on a thread, for a process of its own takes seconds to start."""
        reply = {"type": "accepted", "id": str(message.get("id"))}
        location = self.model.locations().get(str(message.get("key")))
        try:
            if location is None:
                raise UsageError("this run is not known here; reload the page")
            words = resume(location.home, location.key)
        except (TradenbError, OSError) as error:
            self.send({**reply, "channel": "none", "words": str(error)})
        else:
            self.send({**reply, "channel": "kernel", "words": words})
        refresh_thread.wake()

    def _answer(self, message: dict[str, Any]) -> None:
        if message.get("kind") == "resume":
            thread = threading.Thread(target=self._resume, args=(message,), name="tradenb-resume")
            thread.daemon = True
            thread.start()
            return
        reply = {"type": "accepted", "id": str(message.get("id"))}
        try:
            channel = accept(self.model.watch, self.model.locations(), message)
        except TradenbError as error:
            self.send({**reply, "channel": "none", "words": str(error)})
        else:
            self.send({**reply, "channel": channel, "words": ""})


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

    Examples
    --------
    >>> import tempfile
    >>> import tradenb as tn
    >>> @tn.strategy("on the panel", every="5m")
    ... def on_the_panel(ctx):
    ...     return tn.long(**tn.bracket(stop=1, target=1.5), minutes=10)
    >>> market, home = tn.testing.random_walk(seed=7, days=1), tempfile.mkdtemp()
    >>> given = {"strategy": on_the_panel, "exchange": market, "home": home}
    >>> run = tn.live.rehearse("BTCUSDT", end="2024-01-01T00:30", speed=None, **given)
    >>> run.wait(60)
    True
    >>> panel = tn.dashboard(home)
    >>> "on the panel" in [row["strategy"] for row in panel.rows]
    True
    >>> panel.close()
    """
    return Dashboard(home)
