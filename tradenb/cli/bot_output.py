"""What a bot prints, for a person or a program: events as they come, and how its runs ended."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from tradenb.cli.options import answer
from tradenb.clock import wall_ms
from tradenb.core.events import OF_ORDERS

if TYPE_CHECKING:
    from tradenb.core.events import Event
    from tradenb.live.loop.record import RunRecord

_SHOWN: Final = OF_ORDERS | {"scheduled", "opened", "closed", "cancelled", "rejected", "error"}


class BotOutput:
    """Prints to stdout; the bot goes on when its reader has `closed` the pipe."""

    def __init__(self, *, json: bool) -> None:
        self._json = json
        self.closed = False
        self._began = wall_ms()

    @contextlib.contextmanager
    def subscribed(self) -> Iterator[None]:
        """Print the events of all runs."""
        from tradenb.bus import bus

        with (
            bus.subscribe(self._on_live_event, mode="live", kinds=_SHOWN),
            bus.subscribe(self.on_event, mode="rehearsal", kinds=_SHOWN),
        ):
            yield

    def _on_live_event(self, event: Event) -> None:
        """Print an event; a bot that died before it noted that it printed one prints it again."""
        self.on_event(event, again=event.wall is not None and event.wall < self._began)

    def on_event(self, event: Event, *, again: bool = False) -> None:
        """Print an event."""
        from tradenb.core.timeframe import iso
        from tradenb.view.event_words import price_words

        facts = {
            name: getattr(event, name)
            for name in ("seq", "at", "symbol", "strategy", "kind", "price", "pnl_percent")
        }
        what = f"{event.kind} (from before the restart)" if again else event.kind
        more = [event.exit_reason, _gain(event.pnl_percent), event.note]
        words = f"{iso(event.at)} {event.symbol}:{event.strategy} {what}"
        words += "" if event.price is None else f" {price_words(event)}"
        words += "".join(f", {item}" for item in more if item)
        facts |= {"exit_reason": event.exit_reason, "note": event.note, "again": again}
        self.print({"event": facts}, words)

    def end(self, runs: Sequence[RunRecord]) -> None:
        """Print how the runs are at the end, and what they and their accounts made."""
        from tradenb.live.status.listing import accounts_of
        from tradenb.live.status.status_of_run import status_of_run

        found = [status_of_run(run) for run in runs]
        facts = [
            {"id": each.id, "status": each.status, "state": each.holds, "saved": each.saved}
            | ({} if each.money is None else {"pnl": each.money.pnl})
            for each in found
        ]
        lines = [
            f"{each.id}: {each.status}, {each.holds}"
            + ("" if each.money is None else f", {each.money}")
            for each in found
        ]
        accounts = accounts_of(runs)
        money = [{"account": each.name, "cash": each.cash, "pnl": each.pnl} for each in accounts]
        lines += [f"account {each}" for each in accounts]
        lines += [
            f"{each.id} did not end in time and ends with this process: start it again, or run "
            "`tradenb guard --once` for what it has at an exchange"
            for each in found
            if each.status == "running"
        ]
        self.print({"ended": facts} | ({"accounts": money} if money else {}), "\n".join(lines))

    def print(self, facts: dict[str, Any], words: str) -> None:
        """Print something, in words or as JSON."""
        if self.closed:
            return
        try:
            answer(facts, words, as_json=self._json)
        except (BrokenPipeError, OSError, ValueError):
            self.closed = True
            sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - for good


def _gain(pnl_percent: float | None) -> str | None:
    return None if pnl_percent is None else f"{pnl_percent:+.2f} %"
