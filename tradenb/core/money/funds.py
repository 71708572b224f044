"""How much an entry may cost, and why it is refused: pure arithmetic on an account."""

from __future__ import annotations

from typing import Final, NamedTuple

from tradenb.core.money.account import Account
from tradenb.core.money.market import Market
from tradenb.core.money.position_money import Grant
from tradenb.core.risk import Refusal
from tradenb.core.signal import Signal

# An entry that is cut to less of itself gets what rounding left, not money.
NOTHING: Final = 1e-9


class Funds(NamedTuple):
    """What an account has at a moment, quote currency.

    Attributes
    ----------
    balance : float
        Cash and all that was booked.
    equity : float
        With what is open, at the market price.
    free : float
        What may be bound: unrealised losses lower it, unrealised gains do not raise it.
    exposure : float
        Value of all that is open, in units of the equity.
    """

    balance: float
    equity: float
    free: float
    exposure: float


def grant(
    account: Account,
    signal: Signal,
    funds: Funds,
    *,
    paid: float,
    fee_percent: float,
    market: Market | None = None,
    first: float | None = None,
) -> Grant | Refusal:
    """Size an entry, or refuse it.

    Parameters
    ----------
    paid : float
        Price of the entry with slippage, quote currency.
    first : float, optional
        Cost of the first entry of the position that is added to.
    """
    fee = fee_percent / 100
    wanted, fixed = _wanted(account, signal, funds.equity, paid, first)
    if account.max_percent is not None and first is None:
        wanted = min(wanted, funds.equity * account.max_percent / 100)
    share = 1.0
    if not fixed and (most := funds.free / (1 / account.leverage + fee)) < wanted:
        wanted, share = most, most / wanted
    if wanted <= 0 or share < NOTHING:
        return _refused("funds", f"{wanted:.8g} is left for an entry; free are {funds.free:.8g}")
    stake, quantity = wanted, wanted / paid
    if market is not None:
        quantity = market.pieces(quantity)
        stake = quantity * paid
    bound = stake / account.leverage + stake * fee
    if fixed and bound > funds.free:
        words = f"{_named(signal, first)} needs {bound:.8g}, free are {funds.free:.8g}"
        return _refused("funds", words)
    if stake < account.min_quote:
        return _refused("funds", f"{stake:.8g} is below min_quote {account.min_quote:g}")
    if market is None:
        return Grant(stake, quantity, share)
    least = market.min_size or 0.0
    if quantity == 0 or quantity < least:
        bounds = f"at least {least:g}" if least else f"in steps of {market.size_step:g}"
        words = f"{wanted / paid:.8g} pieces are too few; the market takes {bounds}"
        return _refused("min_size", words)
    if stake < (market.min_value or 0.0):
        words = f"a value of {stake:.8g} is too small; the market takes {market.min_value:g}"
        return _refused("min_value", words)
    return Grant(stake, quantity, share)


def _wanted(
    account: Account, signal: Signal, equity: float, paid: float, first: float | None
) -> tuple[float, bool]:
    """Return what an entry should cost, and whether nothing less will do."""
    if first is not None:
        return (signal.add or 1.0) * first, True
    if signal.size is not None:
        return signal.size * paid, True
    if account.quote is not None:
        return account.quote, True
    if account.percent is not None:
        return equity * account.percent / 100, False
    return equity * (account.risk or 0.0) / 100 / (abs(paid - signal.stop_loss) / paid), False


def _named(signal: Signal, first: float | None) -> str:
    """Name an entry with the unit of its number, which is often taken for money."""
    if first is not None:
        amount = signal.add or 1.0
        return f"an add of {amount:.8g}, which counts in first entries ({first:.8g}),"
    if signal.size is not None:
        return f"a size of {signal.size:.8g}, which counts in pieces,"
    return "the entry"


def _refused(name: str, words: str) -> Refusal:
    return Refusal(name, words, "funds")
