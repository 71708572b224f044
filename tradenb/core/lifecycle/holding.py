"""What a position is worth: entries, parts and costs, in percent of all that was put in.

The unit is the cost of the first entry. The letters are those of the law (docs/lifecycle.md, 5):
W invested, K cost of what is open, O paid on average, F entry fee, S realised. The average entry E
and the stop in force are those of the signal. A plain position (one target or none, nothing
declared, nothing managed) needs no record of it: it is made when something happens to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from tradenb.core.money.position_money import Grant, PositionMoney, entered
from tradenb.core.signal import Plan, Position, Rungs, Signal, quickly_replaced

if TYPE_CHECKING:
    from tradenb.core.rules import Rules

StopBy = Literal["stop_loss", "breakeven", "trailing_stop"]
# What a part leaves is nothing, if it is less than this of all that was put in.
DUST: Final = 1e-9


@quickly_replaced
class Holding(NamedTuple):
    """How a position came to be and what is left of it.

    Attributes
    ----------
    invested, cost : float
        Cost of all entries, and of what is open, in units of the first entry.
    paid, fee : float
        Average price with slippage, quote currency; average entry fee, percent.
    realised : float
        Sum of cost x percent over the parts that were closed.
    first_entry, first_stop, first_target
        The plan: milestones measure the way from the entry by it.
    stop_by : {"stop_loss", "breakeven", "trailing_stop"}
        Who set the stop in force.
    rungs : tuple of (float, float)
        Targets left, nearest first, with the fraction of `invested` that each closes.
    full : bool
        The last rung closes all that is left.
    peak : float
        Best price since the entry.
    secured, trailed : bool
        The breakeven has fired; the trail has moved the stop.
    entries, exits : int
    money : PositionMoney or None
        What it has cost and brought, with an account.
    """

    invested: float
    cost: float
    paid: float
    fee: float
    realised: float
    first_entry: float
    first_stop: float
    first_target: float | None
    stop_by: StopBy
    rungs: Rungs
    full: bool
    peak: float
    secured: bool = False
    trailed: bool = False
    entries: int = 1
    exits: int = 0
    money: PositionMoney | None = None


def is_plain(signal: Signal) -> bool:
    """Tell whether a signal has one target or none, and nothing moves its stop."""
    return not signal.targets and (
        signal.trail is signal.trail_distance is signal.breakeven is None
    )


def waited(signal: Signal, opened_at: int) -> bool:
    """Tell whether a signal was filled at its limit, and not at the market price."""
    return not signal.breakout and opened_at > signal.at


def opened(signal: Signal, rules: Rules, *, limit: bool) -> Holding:
    """Make the record of a signal that opens at its entry."""
    slip, fee = costs(rules, limit=limit)
    rungs, full = ladder_of(signal)
    entry = signal.entry
    paid, stop = paid_for(signal.position, entry, slip), signal.stop_loss
    # By their order: names would cost twice the time.
    return Holding(
        1.0, 1.0, paid, fee, 0.0, entry, stop, signal.take_profit, "stop_loss", rungs, full, entry
    )


def first_holding(
    signal: Signal, rules: Rules, *, limit: bool, managed: bool, given: object
) -> Holding | None:
    """Return the record of a position that opens; None where it is plain and nobody manages it.

    Parameters
    ----------
    given : Grant or None
        What the account gives.
    """
    if isinstance(given, Grant):
        holding = opened(signal, rules, limit=limit)
        return holding._replace(money=entered(None, given, holding.fee).money)
    if not managed and is_plain(signal):
        return None
    return opened(signal, rules, limit=limit)


def plan_of(signal: Signal, holding: Holding | None) -> Plan:
    """Return what milestones measure the way by."""
    if holding is None:
        return Plan(signal.position, signal.entry, signal.stop_loss, signal.take_profit)
    return Plan(signal.position, holding.first_entry, holding.first_stop, holding.first_target)


def ladder_of(signal: Signal) -> tuple[Rungs, bool]:
    """Return the targets of a signal, and whether the last of them closes all."""
    if signal.targets:
        return signal.targets, is_full(signal.targets)
    return (() if signal.take_profit is None else ((signal.take_profit, 1.0),)), True


def is_full(rungs: Rungs) -> bool:
    """Tell whether the fractions add up to all."""
    total = 0.0
    for _, fraction in rungs:
        total += fraction
    return total >= 1 - DUST


def costs(rules: Rules, *, limit: bool) -> tuple[float, float]:
    """Return slippage as a fraction and fee in percent of a limit or a market fill."""
    slip, fee = rules.slippage_percent / 100, rules.fee_percent
    if not limit:
        return slip, fee
    if rules.slippage_on == "market":
        slip = 0.0
    return slip, fee if rules.maker_fee_percent is None else rules.maker_fee_percent


def paid_for(position: Position, price: float, slip: float) -> float:
    """Return what an entry pays with slippage; a short receives it."""
    return price * (1 + slip) if position == "long" else price * (1 - slip)


def received(position: Position, price: float, slip: float) -> float:
    """Return what an exit receives with slippage; a short pays it."""
    return price * (1 - slip) if position == "long" else price * (1 + slip)


def exit_percent(
    position: Position, holding: Holding, price: float, rules: Rules, *, limit: bool
) -> float:
    """Return what an exit at a price earns, percent of its cost."""
    slip, fee = costs(rules, limit=limit)
    return _percent(position, holding.paid, received(position, price, slip), holding.fee + fee)


def plain_percent(
    signal: Signal, opened_at: int, price: float, rules: Rules, *, limit: bool
) -> float:
    """Return what a plain position earns that is closed at a price, percent; without a record."""
    slip, entry_fee = costs(rules, limit=waited(signal, opened_at))
    paid, position = paid_for(signal.position, signal.entry, slip), signal.position
    slip, fee = costs(rules, limit=limit)
    return _percent(position, paid, received(position, price, slip), entry_fee + fee)


def _percent(position: Position, paid: float, got: float, fees: float) -> float:
    if position == "long":
        return ((got - paid) / paid) * 100 - fees
    return ((paid - got) / paid) * 100 - fees


def part_of(holding: Holding, cost: float) -> float:
    """Return the cost of a part; what would leave dust is all."""
    return holding.cost if holding.cost - cost <= DUST * holding.invested else cost


def without(holding: Holding, cost: float, percent: float) -> Holding:
    """Take a part out that earned a percentage."""
    return holding._replace(
        realised=holding.realised + cost * percent,
        cost=holding.cost - cost,
        exits=holding.exits + 1,
    )


def added(
    signal: Signal, holding: Holding, price: float, cost: float, rules: Rules
) -> tuple[Signal, Holding]:
    """Enter once more at a market price; the averages are those of the same money again."""
    slip, fee = costs(rules, limit=False)
    open_, paid = holding.cost, paid_for(signal.position, price, slip)
    entry = (open_ + cost) / (open_ / signal.entry + cost / price)
    return signal._replace(entry=entry), holding._replace(
        paid=(open_ + cost) / (open_ / holding.paid + cost / paid),
        fee=(open_ * holding.fee + cost * fee) / (open_ + cost),
        invested=holding.invested + cost,
        cost=open_ + cost,
        entries=holding.entries + 1,
    )


def unrealised(signal: Signal, holding: Holding, price: float, rules: Rules) -> float:
    """Return what the position would have earned if it were closed at a market price."""
    percent = exit_percent(signal.position, holding, price, rules, limit=False)
    return (holding.realised + holding.cost * percent) / holding.invested
