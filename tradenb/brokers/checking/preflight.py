"""What has to be right at an exchange before an account is armed."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final, NamedTuple

from tradenb.core.values import Problem

UNKNOWN_RIGHT: Final = "the exchange does not say whether the key may withdraw money; look there"


class PreflightFacts(NamedTuple):
    """What was seen at an exchange.

    Attributes
    ----------
    symbol : str
    may_withdraw : bool or None
        Whether the key may take money out; None: the exchange does not say.
    may_trade : bool
    is_trading : bool
        The market is open.
    free, invested, cash : Decimal
        Quote currency: what is not locked, what open positions of the account have cost, and what
        the runs are told to have.
    quote : str
    clock_ahead_ms : int
        How far this machine's clock is ahead of the exchange's.
    clock_unsure_ms : int
        How far that may be from the truth; the quickest answer took twice as long.
    window_ms : int
        See `Venue.window_ms`.
    """

    symbol: str
    may_withdraw: bool | None
    may_trade: bool
    is_trading: bool
    free: Decimal
    invested: Decimal
    cash: Decimal
    quote: str
    clock_ahead_ms: int
    clock_unsure_ms: int
    window_ms: int


def preflight(facts: PreflightFacts) -> tuple[Problem, ...]:
    """Return all reasons why an account should not be armed now; empty: there is none."""
    return tuple(_problems(facts))


def unknowns(facts: PreflightFacts) -> Iterator[str]:
    """Yield what could not be found out, in words; that alone is no reason."""
    if facts.may_withdraw is None:
        yield UNKNOWN_RIGHT
    if facts.clock_unsure_ms * 3 > facts.window_ms:
        took = facts.clock_unsure_ms / 500
        yield f"the clock could not be checked: the exchange took {took:.1f} s to say its time"


def _problems(facts: PreflightFacts) -> Iterator[Problem]:
    if facts.may_withdraw:
        yield Problem("withdraw", "the key may withdraw money; use one without that right")
    if not facts.may_trade:
        yield Problem("trade", "the key may not trade; give it that right at the exchange")
    if not facts.is_trading:
        yield Problem("market", f"{facts.symbol} is not traded now; wait until it is")
    there = facts.free + facts.invested
    if there < facts.cash:
        yield Problem(
            "balance",
            f"{there:f} {facts.quote} are there, cash of the account is {facts.cash:f}; lower it",
        )
    if (abs(facts.clock_ahead_ms) - facts.clock_unsure_ms) * 3 > facts.window_ms:
        yield Problem("clock", f"the clock is off by {facts.clock_ahead_ms} ms; set it (NTP)")
