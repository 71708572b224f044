"""Whoever reads what a bot says, a person or a program: events as they come, and how it ended."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from tradenb.cli.options import printable, show_json

if TYPE_CHECKING:
    from tradenb.core.events import Event
    from tradenb.live.loop.record import RunRecord

_SHOWN: Final = frozenset({"scheduled", "opened", "closed", "cancelled", "rejected", "error"})


class Reader:
    """Whoever reads what the bot says; the bot goes on when he leaves.

    Attributes
    ----------
    gone : bool
        Whether he has left.
    """

    def __init__(self, *, json: bool) -> None:
        self._json = json
        self.gone = False
        self._began = time.time_ns() // 1_000_000

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Hear the events of all runs."""
        from tradenb.bus import bus

        with (
            bus.subscribe(self._hear_live, mode="live", kinds=_SHOWN),
            bus.subscribe(self.hear, mode="rehearsal", kinds=_SHOWN),
        ):
            yield

    def _hear_live(self, event: Event) -> None:
        """Show an event; who died before he knew that it was told tells it again."""
        self.hear(event, again=event.wall is not None and event.wall < self._began)

    def hear(self, event: Event, *, again: bool = False) -> None:
        """Show an event."""
        from tradenb.core.timeframe import iso

        facts = {
            name: getattr(event, name)
            for name in ("seq", "at", "symbol", "strategy", "kind", "price", "pnl_percent")
        }
        what = f"{event.kind} (told before the restart)" if again else event.kind
        more = [event.exit_reason, _gain(event.pnl_percent), event.note]
        words = f"{iso(event.at)} {event.symbol}:{event.strategy} {what}"
        words += "" if event.price is None else f" at {event.price:g}"
        words += "".join(f", {item}" for item in more if item)
        facts |= {"exit_reason": event.exit_reason, "note": event.note, "again": again}
        self.say({"event": facts}, words)

    def end(self, runs: Sequence[RunRecord]) -> None:
        """Say how the runs are at the end."""
        from tradenb.live.status.run_status import status_of_run

        found = [status_of_run(run) for run in runs]
        facts = [
            {"id": each.id, "status": each.status, "state": each.holds, "saved": each.saved}
            for each in found
        ]
        words = "\n".join(f"{each.id}: {each.status}, {each.holds}" for each in found)
        self.say({"ended": facts}, words)

    def say(self, facts: dict[str, Any], words: str) -> None:
        """Say something, in words or as JSON."""
        if self.gone:
            return
        try:
            if self._json:
                show_json(facts)
            else:
                print("\n".join(map(printable, words.split("\n"))), flush=True)
        except (BrokenPipeError, OSError, ValueError):
            self.gone = True
            sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - for good


def _gain(pnl_percent: float | None) -> str | None:
    return None if pnl_percent is None else f"{pnl_percent:+.2f} %"
