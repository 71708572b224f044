"""How the fast way of a table goes on: from a candidate to the end of its position."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tradenb.backtest.fast.candidate_table import TRAILS, CandidateTable
from tradenb.backtest.fast.exits import Exit, Exits, Key, Trail
from tradenb.engine.session.signal_table import LONG, SHORT, Table

Leave = Callable[[int], tuple[Exit | None, int]]


def leaver(candidates: CandidateTable, exits: Exits) -> Leave:
    """Return what tells how the position of a candidate ends, and from where it is asked again.

    It takes the place of the candidate in its table. The second place means nothing where the
    position stays open.
    """
    table = candidates.table
    code, numbers = quick(table.position), {k: quick(v) for k, v in table.numbers.items()}
    target, minutes = numbers.get("take_profit"), numbers.get("minutes")
    stop_loss, trails, rows = numbers["stop_loss"], _trails(numbers), quick(candidates.rows)
    leaves, stop = _leaves(table), candidates.stop
    exit_of, place_from = exits.find, candidates.place_from

    def leave(place: int) -> tuple[Exit | None, int]:
        long = code[place] == LONG
        key = (
            int(rows[place]),
            long,
            None if target is None else target[place],
            stop_loss[place],
            None if minutes is None else minutes[place],
        )
        trail = None if trails is None else trails(place)
        found = exit_of(key, trail)
        # `bytes.find` goes over a million places without an exit in no time; a loop would not.
        left = -1 if leaves is None else leaves[long].find(1, place + 1, stop)
        if left >= 0 and (found is None or rows[left] < found.row):
            # It is not asked again on that candle.
            return _left_by_strategy(exits, key, trail, int(rows[left])), left + 1
        # The strategy may be asked on the candle of the exit itself.
        return found, stop if found is None else place_from(found.row)

    return leave


def quick(column: Any) -> Sequence[float]:
    """Return a column whose single values are quick to read, as plain Python numbers."""
    return memoryview(column)


def _trails(numbers: Mapping[str, Sequence[float]]) -> Callable[[int], Trail] | None:
    """Return what reads how the stop of a candidate trails; None if none does."""
    percent, distance, after = (numbers.get(name) for name in TRAILS)
    if percent is None and distance is None:
        return None
    return lambda place: (
        None if percent is None else percent[place],
        None if distance is None else distance[place],
        None if after is None else after[place],
    )


def _leaves(table: Table) -> tuple[bytes, bytes] | None:
    """Return at which places a short and a long is closed; None if there is no such column."""
    if table.exits is None:
        return None
    last = ~table.superseded
    short, long = (((table.exits & code) != 0) & last for code in (SHORT, LONG))
    return short.tobytes(), long.tobytes()


def _left_by_strategy(exits: Exits, key: Key, trail: Trail | None, row: int) -> Exit:
    stop = key[3] if trail is None else exits.stop_after(key, trail, row)
    return Exit(row, exits.candles.close_at(row), "strategy", stop)
