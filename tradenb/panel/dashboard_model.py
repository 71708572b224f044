"""What a dashboard shows, as plain values: rows, health line, pictures and the newest events.

Each look makes them anew from the replicas; the widget sends what has changed. All of it is
bounded, however many runs and events there are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import time
from typing import Any

from tradenb.core.events import Event
from tradenb.core.timeframe import MINUTE
from tradenb.panel.dashboard_rows import Row, event_row, order_of, row_of
from tradenb.panel.health import health_of
from tradenb.panel.replica import MOST_EVENTS
from tradenb.panel.watch_runs import MOST_RUNS, Look, Place, Watch
from tradenb.store.paths import encoded
from tradenb.view.svg.equity_svg import equity_svg
from tradenb.view.svg.price_svg import price_svg


@dataclass
class Board:
    """What is shown, and where it comes from.

    Attributes
    ----------
    chosen : str
        Key of the run that is drawn; empty is the first.
    rows : list of dict
        See `row_of`; with `control`, where requests to a running run are left.
    more : int
        Runs that are left out.
    health, pictures : dict
        See `health_of`; the drawn run and its two pictures.
    events : deque of list
        See `event_row`, oldest first.
    total : int
        Events shown since the beginning.
    """

    watch: Watch
    chosen: str = ""
    rows: list[Row] = field(default_factory=list)
    more: int = 0
    health: dict[str, Any] = field(default_factory=dict)
    pictures: dict[str, str] = field(default_factory=dict)
    events: deque[list[Any]] = field(default_factory=lambda: deque(maxlen=MOST_EVENTS))
    total: int = 0
    _told: dict[Place, int] = field(default_factory=dict)
    _errors: int = 0
    _drawn: tuple[Any, ...] = ()

    def look(self) -> list[list[Any]]:
        """Look at all runs and return the events that are new, oldest first."""
        looks = sorted(self.watch.look(), key=lambda look: order_of(look.facts))
        shown = looks[:MOST_RUNS]
        self.more = len(looks) - len(shown)
        self.rows = [_row(look) for look in shown]
        errors = self.watch.error_count
        self.health = health_of([look.facts for look in shown], self.rows, errors)
        self._draw(shown)
        return self._fresh(looks)

    def places(self) -> dict[str, Place]:
        """Return where the runs are, by key."""
        return {
            row["key"]: row_place for row, row_place in zip(self.rows, self._where, strict=True)
        }

    def _draw(self, looks: Sequence[Look]) -> None:
        self._where = [look.place for look in looks]
        chosen = next((look for look in looks if look.facts.key == self.chosen), None)
        drawable = (look for look in looks if look.facts.candles is not None)
        look = chosen or next(drawable, next(iter(looks), None))
        if look is None:
            self.pictures = {}
            return
        facts, story = look.facts, look.story
        state = facts.state
        now = (facts.key, story.last_seq, None if state is None else (state.cursor, state.signal))
        if now == self._drawn:
            return
        self._drawn = now
        self.pictures = {"key": facts.key, "price": _price(look), "equity": _equity(look)}

    def _fresh(self, looks: Sequence[Look]) -> list[list[Any]]:
        found: list[tuple[int, int, str, Event]] = []
        for look in looks:
            before = self._told.get(look.place, 0)
            self._told[look.place] = look.story.last_seq
            mode: str = look.facts.mode
            found += [
                (event.wall or event.at, event.seq, mode, event)
                for event in look.story.events
                if event.seq > before
            ]
        heard = self.watch.error_count - self._errors
        self._errors = self.watch.error_count
        for event in list(self.watch.errors)[-heard:] if heard else []:
            found.append((event.wall or event.at, 0, self._mode_of(event, looks), event))
        found.sort(key=lambda item: item[:3])
        rows = []
        for _, _, told_in, event in found:
            self.total += 1
            rows.append(event_row(event, told_in, self.total))
        self.events.extend(rows)
        return rows[-MOST_EVENTS:]

    @staticmethod
    def _mode_of(event: Event, looks: Sequence[Look]) -> str:
        name = f"{event.symbol}:{event.strategy}"
        return next((look.facts.mode for look in looks if look.facts.id == name), "live")


def _row(look: Look) -> Row:
    facts, place = look.facts, look.place
    row = row_of(facts, look.story)
    age = row.pop("age_s")
    row["tick_ms"] = None if age is None else round(time() - age) * 1000
    row |= {"control": None, "strategy_name": facts.strategy, "symbol_name": facts.symbol}
    if facts.status == "running":
        folder = (encoded(place.key.strategy, "strategy"), encoded(place.key.symbol, "symbol"))
        row["control"] = {"home": str(place.home.root), "folder": "/".join(folder)}
    return row


def _price(look: Look) -> str:
    facts, story = look.facts, look.story
    candles, state = facts.candles, facts.state
    if candles is None or len(candles) < 2 or state is None:
        return ""
    shown = candles.between(candles.start, state.cursor)
    if len(shown) < 2:
        return ""
    return price_svg(shown, list(story.trades), state.signal, state.opened_at)


def _equity(look: Look) -> str:
    story, state, candles = look.story, look.facts.state, look.facts.candles
    if state is None:
        return ""
    trades = list(story.trades)
    first = state.cursor - MINUTE if candles is None else candles.start
    first = trades[0].opened_at if trades else first
    return equity_svg(trades, start=first, end=max(state.cursor, first + MINUTE))
