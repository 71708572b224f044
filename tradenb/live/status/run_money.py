"""What a live run has made of the money of its account; see `listing` for all its runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tradenb.core.money.position_money import unrealised_money
from tradenb.view.formatting import number

if TYPE_CHECKING:
    from tradenb.core.lifecycle.state import State
    from tradenb.core.money.account import Account


@dataclass(frozen=True, slots=True)
class RunMoney:
    """The money of one run at one moment, quote currency.

    Attributes
    ----------
    account : str
        Its name; runs under one home that name the same share its cash.
    cash : float
        Of the account, at the beginning.
    booked : float
        What the run changed the balance by: closed parts, fees, funding.
    unrealised : float
        Of what it has open, at the market price.
    """

    account: str
    cash: float
    booked: float
    unrealised: float

    @property
    def pnl(self) -> float:
        """What the run made, what is open included."""
        return self.booked + self.unrealised

    def __str__(self) -> str:
        open_ = f" ({number(self.unrealised, plus=True)} of it open)" if self.unrealised else ""
        return f"{number(self.pnl, plus=True)} on account {self.account}{open_}"


def run_money(
    kept: Account | Mapping[str, Any], state: State | None, price: float | None
) -> RunMoney | None:
    """Return the money of a run; None before its first commit.

    Parameters
    ----------
    kept : Account or mapping
        The account, or what a document keeps of it.
    price : float or None
        Market price; where it is not known what is open counts with what it cost.
    """
    if state is None:
        return None
    if not isinstance(kept, Mapping):
        kept = {"name": kept.name, "cash": kept.cash}
    held = None if state.holding is None else state.holding.money
    open_ = 0.0
    if held is not None and state.signal is not None and price is not None:
        open_ = unrealised_money(held, state.signal.position, price)
    return RunMoney(kept["name"], kept["cash"], state.earned - state.charged.paid, open_)
