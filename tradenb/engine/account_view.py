"""`ctx.account`: what a strategy sees of the money of its run."""

from __future__ import annotations

from dataclasses import dataclass

from tradenb.core.signal import Position


@dataclass(frozen=True, slots=True)
class AccountPosition:
    """A position of the account, as of an ask.

    Attributes
    ----------
    symbol, strategy : str
    side : {"long", "short"}
    value : float
        Pieces x market price, quote currency.
    """

    symbol: str
    strategy: str
    side: Position
    value: float


@dataclass(frozen=True, slots=True)
class AccountView:
    """The money of a run, as of an ask; quote currency.

    Attributes
    ----------
    balance : float
        Cash, and what all closed parts and fees changed it by.
    equity : float
        With what is open, at the market price.
    free : float
        What an entry may bind: unrealised losses lower it, unrealised gains do not raise it.
    exposure : float
        Value of all that is open, in units of the equity.
    positions : tuple of AccountPosition
        What is open, of all symbols and strategies.
    """

    balance: float
    equity: float
    free: float
    exposure: float
    positions: tuple[AccountPosition, ...]
