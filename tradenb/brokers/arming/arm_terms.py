"""What a person allows by arming an account: checked, in words, and as the text of its code."""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Final, NamedTuple

from tradenb.brokers.arming.arm_file import LONGEST
from tradenb.brokers.arming.trips import UNKNOWN
from tradenb.core.lifecycle.exchange_route import MAX_ENTRY_SLIPPAGE
from tradenb.core.money.account import Account
from tradenb.core.orders.gate import HOUR, Arm
from tradenb.core.signal import Time
from tradenb.core.timeframe import TimeLike, duration_ms, iso, to_ms
from tradenb.core.values import positive
from tradenb.errors import UsageError, shown
from tradenb.view.formatting import plural

UNCHECKED: Final = "\n  How the exchange treats orders was not checked, or not lately."
_MOST: Final = 10**15
_FEWEST, _HIGHEST = 1, 100_000


class ArmTerms(NamedTuple):
    """The terms of a permission.

    Attributes
    ----------
    account : str
    symbols, strategies : tuple of str
    max_order, max_total, max_daily_loss : Decimal
        Quote currency.
    max_open, orders_an_hour : int
    span : int or None
        How long it lasts, ms; None: until a moment.
    until : int or None
        That moment, ms UTC.
    unchecked : bool
        Without a check of the exchange.
    """

    account: str
    symbols: tuple[str, ...]
    strategies: tuple[str, ...]
    max_order: Decimal
    max_total: Decimal
    max_daily_loss: Decimal
    max_open: int
    orders_an_hour: int
    span: Time | None
    until: Time | None
    unchecked: bool = False

    @property
    def text(self) -> str:
        """All of them in one text: a code is good for the same text alone."""
        return json.dumps(self._asdict(), default=str, sort_keys=True)

    def arm(self, now: Time, by: str) -> Arm:
        """Return the permission from now on."""
        return Arm(
            account=self.account,
            symbols=self.symbols,
            strategies=self.strategies,
            max_order=self.max_order,
            max_total=self.max_total,
            max_daily_loss=self.max_daily_loss,
            max_open=self.max_open,
            orders_an_hour=self.orders_an_hour,
            since=now,
            until=self.ends(now),
            by=by,
        )

    def ends(self, now: Time) -> Time:
        """Return when it ends if it begins now.

        Raises
        ------
        UsageError
            When that is over, or later than 7 days from now.
        """
        ends = now + self.span if self.span is not None else self.until or 0
        if not now < ends <= now + LONGEST:
            raise UsageError(
                f"until must be a span or a moment within the next 7 days, was {iso(ends)} UTC"
            )
        return ends

    def words(self, now: Time) -> str:
        """Say what would be possible."""
        positions = plural(self.max_open, "position")
        money = "REAL MONEY" if self.account.startswith("live:") else "play money"
        return (
            f"{self.account} ({money}): {' and '.join(self.strategies)} may buy "
            f"{' and '.join(self.symbols)} until {iso(self.ends(now))} UTC\n"
            f"  for at most {self.max_order:f} an order, {positions} at a time, "
            f"{self.max_total:f} in all (quote currency)\n"
            f"  at most {self.orders_an_hour} orders an hour\n"
            f"  once {self.max_daily_loss:f} are lost in a UTC day, entries end; on that day only "
            "a higher max_daily_loss arms again\n"
            f"  Prices may jump over stops: at worst all {self.max_total:f} are lost. Stops and "
            "exits are sent whatever is armed."
            f"{UNCHECKED if self.unchecked else ''}"
        )


def too_dear(account: Account | None, max_order: Decimal) -> tuple[str, ...]:
    """Say that entries of an account cost more than an order may, as far as that is known."""
    cost = None if account is None else account.entry_cost
    limit = float(max_order)
    if cost is None or (worst := cost * (1 + MAX_ENTRY_SLIPPAGE)) <= limit:
        return ()
    words = f"an entry of this account costs about {cost:.10g}"
    if cost > limit:
        return (f"{words}, more than max_order {max_order:f}: every entry would be refused",)
    words += f", its order up to {worst:.10g}, more than max_order {max_order:f}: it would be"
    return (f"{words} refused unless slippage and rounding lower that enough; raise max_order",)


def too_many(terms: ArmTerms, sent: Iterable[Time], unknown: Iterable[Time], now: Time) -> str:
    """Say that orders or unknown outcomes of the last hour would disarm it at once; "": no."""
    late, doubts = (sorted(at for at in times if at > now - HOUR) for times in (sent, unknown))
    most = terms.orders_an_hour
    if len(late) > most:
        return (
            f"{len(late)} orders were sent within an hour, and with orders_an_hour={most} it is "
            f"disarmed at once; say more than {len(late)}, or wait until "
            f"{iso(late[-most - 1] + HOUR)} UTC"
        )
    if len(doubts) >= UNKNOWN:
        return (
            f"the outcome of {len(doubts)} orders became unknown within an hour, with which it is "
            f"disarmed at once; find out why, and wait until {iso(doubts[-UNKNOWN] + HOUR)} UTC"
        )
    return ""


def arm_terms(
    account: str,
    symbols: Iterable[str],
    strategies: Iterable[str],
    *,
    max_order: float | Decimal,
    max_total: float | Decimal,
    max_open: int,
    max_daily_loss: float | Decimal,
    until: str | TimeLike,
    orders_an_hour: int,
) -> ArmTerms:
    """Return terms that are checked.

    Raises
    ------
    UsageError
        When one of them is not an amount, a count, a span or a moment, or one order may cost more
        than all.
    """
    span, moment = _until(until)
    terms = ArmTerms(
        account=account,
        symbols=tuple(sorted(set(symbols))),
        strategies=tuple(sorted(set(strategies))),
        max_order=_amount("max_order", max_order),
        max_total=_amount("max_total", max_total),
        max_daily_loss=_amount("max_daily_loss", max_daily_loss),
        max_open=_count("max_open", max_open),
        orders_an_hour=_count("orders_an_hour", orders_an_hour),
        span=span,
        until=moment,
    )
    if terms.max_order > terms.max_total:
        raise UsageError(
            f"max_order must be at most max_total ({terms.max_total:f}), was {terms.max_order:f}"
        )
    return terms


def _amount(name: str, value: float | Decimal) -> Decimal:
    number = value if isinstance(value, Decimal) else positive(value)
    exact = Decimal(str(number)) if number is not None else Decimal(0)
    if not exact.is_finite() or not 0 < exact < _MOST or exact != round(exact, 8):
        raise UsageError(
            f"{name} must be an amount of quote currency above 0, such as 100 or 12.5, was "
            f"{shown(value)}"
        )
    return exact.normalize()


def _count(name: str, value: int) -> int:
    if type(value) is not int or not _FEWEST <= value <= _HIGHEST:
        raise UsageError(f"{name} must be a whole number from 1 to 100000, was {shown(value)}")
    return value


def _until(until: str | TimeLike) -> tuple[Time | None, Time | None]:
    if isinstance(until, str):
        try:
            return duration_ms(until, "until"), None
        except UsageError:
            return None, to_ms(until, "until")
    return None, to_ms(until, "until")
