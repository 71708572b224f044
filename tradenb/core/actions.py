"""What a manage function may answer besides candidates: the record, and the functions to make it.

Whether an action keeps the rules is tested in `validation/action_rules.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from tradenb.call_errors import explained
from tradenb.core.candidate import Candidate, Ladder, Price
from tradenb.core.timeframe import TimeLike

FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "close": ("fraction",),
    "move": ("stop_loss", "take_profit", "minutes", "until"),
    "breakeven": ("plus",),
    "add": ("amount",),
    "cancel": (),
}
"""The actions, and what each may say besides its note."""


class NotGiven:
    """Stands for what a call of `move` does not name: it stays as it is."""

    def __repr__(self) -> str:
        return "(as it is)"


_NOT_GIVEN: Final = NotGiven()


class Action(NamedTuple):
    """Something to be done with what is open or scheduled, not checked yet.

    Attributes
    ----------
    do : object
        "close", "move", "breakeven", "add" or "cancel".
    values : mapping
        What it says; what is missing is not given.
    """

    do: object
    values: Mapping[Any, object]

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self.values.items())
        return f"tn.{self.do}({given})"


def action_of(answer: object) -> Action | None:
    """Read an answer as an action; None of what may be a candidate."""
    if isinstance(answer, Action):
        return answer
    if type(answer) is Candidate:
        return None  # to find out that it is no mapping takes longer
    try:
        if isinstance(answer, Mapping) and "do" in answer:
            return Action(answer["do"], {key: answer[key] for key in answer if key != "do"})
    except Exception:  # noqa: BLE001 - a user's mapping
        return None
    return None


@explained("tn.close")
def close(fraction: float = 1.0, *, note: str | None = None) -> Action:
    """Close a fraction of what is open, at the market price.

    Parameters
    ----------
    fraction : float, default 1.0
        Above 0, at most 1: all that is left.
    note : str, optional

    Returns
    -------
    Action
        For a manage function to return, alone or in a list.

    Examples
    --------
    >>> close(0.5).do
    'close'
    """
    return Action("close", _given(fraction=fraction, note=note))


@explained("tn.move")
def move(
    *,
    stop_loss: Price | NotGiven = _NOT_GIVEN,
    take_profit: Price | Ladder | NotGiven | None = _NOT_GIVEN,
    minutes: int | NotGiven | None = _NOT_GIVEN,
    until: TimeLike | NotGiven | None = _NOT_GIVEN,
    note: str | None = None,
) -> Action:
    """Change the stop, the targets or the times of a position; what is not named stays.

    Parameters
    ----------
    stop_loss : float, optional
        It only tightens, but with `Rules.loosen_stop`; a looser one leaves the stop where it is.
        `tn.percent` and `tn.distance` count from the average entry.
    take_profit : float, list of pairs or None, optional
        A price, a ladder whose fractions are those of everything, or None for no target.
    minutes : int or None, optional
        Counted from the opening.
    until : int, str, datetime or None, optional
    note : str, optional

    Returns
    -------
    Action
        For a manage function to return, alone or in a list.

    Examples
    --------
    >>> move(stop_loss=99.0).values
    {'stop_loss': 99.0}
    """
    named: dict[str, object] = {"stop_loss": stop_loss, "take_profit": take_profit}
    named |= {"minutes": minutes, "until": until}
    values = {key: value for key, value in named.items() if value is not _NOT_GIVEN}
    return Action("move", values | _given(note=note))


@explained("tn.breakeven")
def breakeven(plus: float = 0.0, *, note: str | None = None) -> Action:
    """Put the stop to the average entry, if that is tighter and the price is beyond it.

    Parameters
    ----------
    plus : float, default 0.0
        Percent beyond the entry.
    note : str, optional

    Returns
    -------
    Action
        For a manage function to return, alone or in a list.

    Examples
    --------
    >>> breakeven().do
    'breakeven'
    """
    return Action("breakeven", _given(plus=plus, note=note))


@explained("tn.add")
def add(amount: float = 1.0, *, note: str | None = None) -> Action:
    """Enter once more at the market price; the risk rules are asked.

    Parameters
    ----------
    amount : float, default 1.0
        Cost in units of the first entry.
    note : str, optional

    Returns
    -------
    Action
        For a manage function to return, alone or in a list.

    Examples
    --------
    >>> add(0.5).values
    {'amount': 0.5}
    """
    return Action("add", _given(amount=amount, note=note))


@explained("tn.cancel")
def cancel(*, note: str | None = None) -> Action:
    """Cancel the signal that waits for its entry.

    Parameters
    ----------
    note : str, optional

    Returns
    -------
    Action
        For a manage function to return, alone or in a list.

    Examples
    --------
    >>> cancel().do
    'cancel'
    """
    return Action("cancel", _given(note=note))


def _given(**values: object) -> dict[str, object]:
    return {name: value for name, value in values.items() if name != "note" or value is not None}
