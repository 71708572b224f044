"""How the candles of an `ExchangeServer` become prices of its venue, as its clock goes on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from tradenb.core.candles.arrays import Rows
from tradenb.core.timeframe import MINUTE
from tradenb.testing.venue.candle_path import candle_path
from tradenb.testing.venue.faulty_venue import FaultyVenue
from tradenb.testing.venue.venue_filters import floored

# A candle's last price comes a moment before the next one opens.
_LAST_MS = MINUTE - 1


class _Move(NamedTuple):
    at: int
    symbol: str
    price: Decimal
    jumps: bool
    room: Decimal | None
    part: tuple[int, int]


class PriceFeed:
    """Moves the prices of a venue along candles; what is late there arrives on the way.

    Parameters
    ----------
    venue : FaultyVenue
    rows : dict of str to Rows
        1m candles of each of its markets.
    volume_share : float, optional
        What can be traded of each candle's volume; None: anything.
    """

    def __init__(
        self, venue: FaultyVenue, rows: Mapping[str, Rows], *, volume_share: float | None = None
    ) -> None:
        self._venue, self._rows, self._share = venue, dict(rows), volume_share
        self._at: dict[str, int] = {}
        self._part: dict[str, tuple[int, int]] = {}

    def advance(self, now: int) -> None:
        """Let the prices, and what is late, come to a moment."""
        moves = [move for symbol in self._rows for move in self._moves(symbol, now)]
        for move in sorted(moves, key=lambda each: each.at):
            self._venue.advance(move.at)
            self._venue.venue.book.move(
                move.symbol, move.price, move.at, jump=move.jumps, available=self._room(move)
            )
        self._venue.advance(now)

    def _room(self, move: _Move) -> Decimal | None:
        """Return what can be traded: a part of a candle has its room once."""
        if self._part.get(move.symbol) == move.part:
            return self._venue.venue.book.state(move.symbol).available
        self._part[move.symbol] = move.part
        return move.room

    def _moves(self, symbol: str, now: int) -> Iterator[_Move]:
        """Yield the prices between the last moment and this one; at first the last price alone."""
        rows, before = self._rows[symbol], self._at.get(symbol)
        if before is not None and now <= before:
            return
        last = int(np.searchsorted(rows.time, now, side="right")) - 1
        if last < 0:
            return
        self._at[symbol] = now
        if before is None:
            *_, newest = self._of_candle(symbol, last, now)
            yield newest._replace(jumps=True)
            return
        first = int(np.searchsorted(rows.time, before - MINUTE, side="right"))
        for row in range(first, last + 1):
            yield from (move for move in self._of_candle(symbol, row, now) if move.at > before)

    def _of_candle(self, symbol: str, row: int, now: int) -> Iterator[_Move]:
        rows = self._rows[symbol]
        opened = int(rows.time[row])
        values = (column[row] for column in (rows.open, rows.high, rows.low, rows.close))
        path = candle_path(*(Decimal(repr(float(value))) for value in values))
        room = None
        if self._share is not None:
            room = Decimal(repr(float(rows.volume[row]))) * Decimal(str(self._share)) / len(path)
        at, price = opened, path[0][0]
        for place, (reached, part) in enumerate(path):
            due = opened + int(part * _LAST_MS)
            if due > now:
                partly = price + (reached - price) * (now - at) / (due - at)
                tick = self._venue.venue.market(symbol).tick_size
                yield _Move(now, symbol, floored(partly, tick), False, room, (row, place))
                return
            at, price = due, reached
            yield _Move(at, symbol, price, not place, room, (row, place))
