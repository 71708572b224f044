"""The fills of a run: one row each time a position was entered, added to, or partly or wholly left.

They follow from the events and the rules, in a backtest as from a journal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, Union

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
from tradenb.core.money.position_money import Grant, entered, left_pieces
from tradenb.core.signal import Position, Signal, Time

if TYPE_CHECKING:
    from tradenb.core.rules import Rules

Key = tuple[str, str, str]
RulesThen: TypeAlias = Union["Rules", Callable[[int], "Rules"]]


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
        Before and after slippage, quote currency; equal where an exchange filled it.
    fraction : float
        Its cost, in units of the first entry.
    fee_percent : float
    pnl_percent : float or None
        What was left earned, percent of its cost.
    late : bool
        Noticed after its candle, by a live run that was down.
    quantity, value, fee : float or None
        With an account: pieces, pieces x paid, and the fee, quote currency.
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
    quantity: float | None = None
    value: float | None = None
    fee: float | None = None


class Filled(NamedTuple):
    """A fill with what it did to its position.

    Attributes
    ----------
    event : Event
        opened, added, partial or closed.
    kind : {"entry", "add", "partial", "exit"}
    signal : Signal
        As it was opened; after an add with the new average entry.
    before, after : Holding or None
        None before it was opened, and after it was closed.
    limit : bool
        Whether it pays the costs of a limit fill.
    rules : Rules
        Those in force.
    percent : float or None
        What an exit earned, percent of its cost.
    moved : bool
        A move of the same close put the exit within reach: it was made at the market price.
    change : float
        What it changed the balance of an account by, quote currency.
    """

    event: Event
    kind: Literal["entry", "add", "partial", "exit"]
    signal: Signal
    before: Holding | None
    after: Holding | None
    limit: bool
    rules: Rules
    percent: float | None = None
    moved: bool = False
    change: float = 0.0


class _Open:
    """What is known of a position while its events go by."""

    def __init__(self, signal: Signal, holding: Holding) -> None:
        self.signal = signal
        self.holding = holding
        self.moved_at = 0


def filled(events: Iterable[Event], rules: RulesThen) -> Iterator[Filled]:
    """Follow the positions that events tell of, from fill to fill.

    A position whose `opened` event is missing is left out.

    Parameters
    ----------
    rules : Rules or callable
        Those of the run; or which held at a close time, ms UTC.
    """
    rules_at = rules if callable(rules) else (lambda at: rules)  # noqa: ARG005
    waiting: dict[Key, bool] = {}
    positions: dict[Key, _Open] = {}
    at_exchange: set[Key] = set()
    for event in events:
        signal, price = event.signal, event.price
        if event.kind == "milestone" or not isinstance(signal, Signal) or price is None:
            continue
        key = (event.symbol, event.strategy, signal.id)
        held, now = positions.get(key), rules_at(event.at)
        if key in at_exchange:  # its prices are those of the trades: nothing is assumed
            now = now.model_copy(update={"slippage_percent": 0.0})
        match event.kind:
            case "scheduled":
                # A limit entry is better than the market price, a stop entry worse.
                waiting[key] = (signal.entry < price) == (signal.position == "long")
            case "cancelled":
                waiting.pop(key, None)
            case "entering":
                at_exchange.add(key)
            case "opened":
                limit = waiting.pop(key, False)
                held = positions[key] = _Open(signal, opened(signal, now, limit=limit))
                change = _entered(event, held, now, limit=limit)
                yield Filled(event, "entry", signal, None, held.holding, limit, now, change=change)
            case "added" if held is not None and event.fraction is not None:
                before = held.holding
                held.signal, held.holding = added(held.signal, before, price, event.fraction, now)
                change = _entered(event, held, now, limit=False)
                yield Filled(
                    event, "add", held.signal, before, held.holding, False, now, change=change
                )
            case "moved" if held is not None:
                held.moved_at = event.at
            case "partial" | "closed" if held is not None:
                yield _left(event, held, price, now)
                if event.kind == "closed":
                    del positions[key]
            case _:
                pass


def _entered(event: Event, held: _Open, rules: Rules, *, limit: bool) -> float:
    """Book an entry in money, if its event tells its pieces; return the change of the balance."""
    if event.quantity is None or event.price is None:
        return 0.0
    slip, fee = costs(rules, limit=limit)
    paid = paid_for(held.signal.position, event.price, slip)
    booked = entered(held.holding.money, Grant(event.quantity * paid, event.quantity), fee)
    held.holding = held.holding._replace(money=booked.money)
    return booked.change


def _left(event: Event, held: _Open, price: float, rules: Rules) -> Filled:
    """Take out of a position what an exit closes."""
    before, moved = held.holding, held.moved_at == event.at
    # What a move put within reach of the market price is done at once, at market.
    limit = event.exit_reason == "take_profit" and not moved
    fraction = before.cost if event.fraction is None else event.fraction
    percent, whole = event.pnl_percent, before.exits == 0 and before.entries == 1
    if percent is None or (event.kind == "closed" and not whole):
        # What a `closed` event tells is of all its parts together.
        percent = exit_percent(held.signal.position, before, price, rules, limit=limit)
    held.holding = without(before, fraction, percent)
    kind: Literal["exit", "partial"] = "exit" if event.kind == "closed" else "partial"
    change, position = 0.0, held.signal.position
    if before.money is not None and event.quantity is not None:
        slip, fee = costs(rules, limit=limit)
        booked = left_pieces(
            before.money,
            position,
            None if kind == "exit" else event.quantity,
            received=received(position, price, slip),
            fee_percent=fee,
        )
        held.holding, change = held.holding._replace(money=booked.money), booked.change
    after = None if kind == "exit" else held.holding
    return Filled(event, kind, held.signal, before, after, limit, rules, percent, moved, change)


def fills_of(events: Iterable[Event], rules: RulesThen) -> list[Fill]:
    """Return the fills that events tell of, in their order.

    A position whose `opened` event is missing is left out.

    Parameters
    ----------
    rules : Rules or callable
        Those of the run; or which held at a close time, ms UTC.
    """
    return [fill_of(each) for each in filled(events, rules)]


def fill_of(found: Filled) -> Fill:
    """Return the row of a fill."""
    event, position, entering = found.event, found.signal.position, found.kind in ("entry", "add")
    price, fraction = event.price or 0.0, event.fraction
    if fraction is None:
        fraction = 1.0 if found.before is None else found.before.cost
    slip, fee = costs(found.rules, limit=found.limit)
    paid = (paid_for if entering else received)(position, price, slip)
    value = None if event.quantity is None else event.quantity * paid
    return Fill(
        at=event.at,
        symbol=event.symbol,
        strategy=event.strategy,
        signal_id=found.signal.id,
        position=position,
        side="buy" if entering == (position == "long") else "sell",
        kind=found.kind,
        reason=None if entering else event.exit_reason,
        liquidity="limit" if found.limit else "market",
        price=price,
        paid=paid,
        fraction=fraction,
        fee_percent=fee,
        pnl_percent=found.percent,
        late=event.late,
        quantity=event.quantity,
        value=value,
        fee=None if value is None else value * fee / 100,
    )
