"""The fills of a run: one row each time a position was entered, added to, or partly or wholly left.

They follow from the events and the rules, in a backtest as from a journal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

from tradenb.core.events import Event
from tradenb.core.lifecycle.holding import (
    Holding,
    added,
    costs,
    exit_percent,
    opened,
    paid_for,
    received,
    without,
)
from tradenb.core.rules import Rules
from tradenb.core.signal import Position, Signal, Time

Key = tuple[str, str, str]


class Fill(NamedTuple):
    """One fill.

    Attributes
    ----------
    side : {"buy", "sell"}
    kind : {"entry", "add", "partial", "exit"}
    reason : str or None
        Why it was left.
    liquidity : {"limit", "market"}
    price, paid : float
        Before and after slippage, quote currency.
    fraction : float
        Its cost, in units of the first entry.
    fee_percent : float
    pnl_percent : float or None
        What was left earned, percent of its cost.
    late : bool
        Noticed after its candle, by a live run that was down.
    """

    at: Time
    symbol: str
    strategy: str
    signal_id: str
    position: Position
    side: Literal["buy", "sell"]
    kind: Literal["entry", "add", "partial", "exit"]
    reason: str | None
    liquidity: Literal["limit", "market"]
    price: float
    paid: float
    fraction: float
    fee_percent: float
    pnl_percent: float | None
    late: bool


class _Open:
    """What is known of a position while its events go by."""

    def __init__(self, signal: Signal, holding: Holding) -> None:
        self.signal = signal
        self.holding = holding
        self.moved_at = 0


def fills_of(events: Iterable[Event], rules: Rules | Callable[[int], Rules]) -> list[Fill]:
    """Return the fills that events tell of, in their order.

    A position whose `opened` event is missing is left out.

    Parameters
    ----------
    rules : Rules or callable
        Those of the run; or which held at a close time, ms UTC.
    """
    rules_at = (lambda at: rules) if isinstance(rules, Rules) else rules  # noqa: ARG005
    waiting: dict[Key, bool] = {}
    positions: dict[Key, _Open] = {}
    found: list[Fill] = []
    for event in events:
        signal, price = event.signal, event.price
        if not isinstance(signal, Signal) or price is None:
            continue
        key = (event.symbol, event.strategy, signal.id)
        held, now = positions.get(key), rules_at(event.at)
        match event.kind:
            case "scheduled":
                # A limit entry is better than the market price, a stop entry worse.
                waiting[key] = (signal.entry < price) == (signal.position == "long")
            case "cancelled":
                waiting.pop(key, None)
            case "opened":
                limit = waiting.pop(key, False)
                held = positions[key] = _Open(signal, opened(signal, now, limit=limit))
                found.append(_entry(event, held, "entry", now, limit=limit))
            case "added" if held is not None and event.fraction is not None:
                found.append(_entry(event, held, "add", now, limit=False))
                held.signal, held.holding = added(
                    held.signal, held.holding, price, event.fraction, now
                )
            case "moved" if held is not None:
                held.moved_at = event.at
            case "partial" | "closed" if held is not None:
                found.append(_exit(event, held, now))
                if event.kind == "closed":
                    del positions[key]
            case _:
                pass
    return found


def _entry(
    event: Event, held: _Open, kind: Literal["entry", "add"], rules: Rules, *, limit: bool
) -> Fill:
    price, position = event.price or 0.0, held.signal.position
    slip, fee = costs(rules, limit=limit)
    return Fill(
        at=event.at,
        symbol=event.symbol,
        strategy=event.strategy,
        signal_id=held.signal.id,
        position=position,
        side="buy" if position == "long" else "sell",
        kind=kind,
        reason=None,
        liquidity="limit" if limit else "market",
        price=price,
        paid=paid_for(position, price, slip),
        fraction=1.0 if event.fraction is None else event.fraction,
        fee_percent=fee,
        pnl_percent=None,
        late=event.late,
    )


def _exit(event: Event, held: _Open, rules: Rules) -> Fill:
    price, position, holding = event.price or 0.0, held.signal.position, held.holding
    # What a move put within reach of the market price is done at once, at market.
    limit = event.exit_reason == "take_profit" and held.moved_at != event.at
    fraction = holding.cost if event.fraction is None else event.fraction
    percent = event.pnl_percent
    whole = holding.exits == 0 and holding.entries == 1
    if percent is None or (event.kind == "closed" and not whole):
        # What a `closed` event tells is of all its parts together.
        percent = exit_percent(position, holding, price, rules, limit=limit)
    slip, fee = costs(rules, limit=limit)
    held.holding = without(holding, fraction, percent)
    return Fill(
        at=event.at,
        symbol=event.symbol,
        strategy=event.strategy,
        signal_id=held.signal.id,
        position=position,
        side="sell" if position == "long" else "buy",
        kind="exit" if event.kind == "closed" else "partial",
        reason=event.exit_reason,
        liquidity="limit" if limit else "market",
        price=price,
        paid=received(position, price, slip),
        fraction=fraction,
        fee_percent=fee,
        pnl_percent=percent,
        late=event.late,
    )
