"""What a position earns, in percent of its entry, after slippage and fees."""

from __future__ import annotations

from tradenb.core.rules import Rules
from tradenb.core.signal import Position


def pnl_percent(position: Position, entry: float, exit: float, rules: Rules) -> float:
    """Return the profit or loss of a position.

    Slippage makes both prices worse, the fee is paid on both sides.

    Parameters
    ----------
    position : {"long", "short"}
    entry, exit : float
        Prices in quote currency, > 0.
    rules : Rules
        Gives `slippage_percent` and `fee_percent`, each for one side.

    Returns
    -------
    float
        Percent of the entry.

    Examples
    --------
    >>> pnl_percent("long", 100.0, 102.0, Rules())
    1.596203796203798
    """
    slippage = rules.slippage_percent / 100
    fee = 2 * rules.fee_percent
    if position == "long":
        paid, received = entry * (1 + slippage), exit * (1 - slippage)
        return ((received - paid) / paid) * 100 - fee
    paid, received = entry * (1 - slippage), exit * (1 + slippage)
    return ((paid - received) / paid) * 100 - fee
