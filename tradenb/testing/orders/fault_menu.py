"""The faults of a venue by words, for those who do not want to choose each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from random import Random
from typing import Final

from tradenb.errors import UsageError, shown, unknown
from tradenb.testing.venue.venue_faults import LOST, PROXY, REFUSALS, UNSURE, VenueFault
from tradenb.testing.venue.venue_requests import VenueRequest

Draw = Callable[[VenueRequest, str | None, int], VenueFault | None]

MENU: Final[Mapping[str, tuple[VenueFault, ...]]] = {
    "lost_answers": tuple(
        VenueFault("accept", answer, method="POST") for answer in (*LOST, *PROXY, *UNSURE)
    ),
    "lost_requests": tuple(VenueFault("drop", answer) for answer in ("silence", "reset", *PROXY)),
    "late_requests": tuple(VenueFault("late", method="POST", seconds=s) for s in (2.0, 8.0)),
    "refusals": tuple(VenueFault("drop", answer, method="POST") for answer in REFUSALS),
    "partial_fills": (VenueFault("partial"),),
    "late_views": (
        VenueFault("invisible"),
        VenueFault("not_found"),
        VenueFault("status_late"),
        VenueFault("trades_late"),
        VenueFault("trade_twice"),
        VenueFault("balance_late"),
    ),
    "cancel_races": (VenueFault("cancel_race"),),
    "outages": (VenueFault("maintenance", method="POST", seconds=20.0),),
    "by_hand": (
        VenueFault("manual_cancel", path="allOrders"),
        VenueFault("manual_sale", path="allOrders"),
    ),
}
"""What can be asked for by a word; "all" is all of it."""

Faults = str | Iterable[str] | Mapping[str, float]


def shares_of(faults: Faults, rate: float) -> dict[str, float]:
    """Return the words that are meant, each with its share of the requests that can meet it.

    Examples
    --------
    >>> shares_of("lost_answers", 0.2), shares_of({"refusals": 0.5}, 0.2)
    ({'lost_answers': 0.2}, {'refusals': 0.5})
    """
    _check_share("rate", rate)
    listed: object = (faults,) if isinstance(faults, str) else faults
    words = tuple(listed) if isinstance(listed, Iterable) else (listed,)
    if not all(isinstance(word, str) for word in words):
        raise UsageError(
            f"faults must be words or shares by word ({', '.join((*MENU, 'all'))}), "
            f"was {shown(faults)}"
        )
    given = dict(faults) if isinstance(faults, Mapping) else dict.fromkeys(words, rate)
    if "all" in given:
        given = dict.fromkeys(MENU, given["all"]) | given
        del given["all"]
    for word, share in given.items():
        if word not in MENU:
            raise unknown("kind of faults", word, (*MENU, "all"))
        _check_share(f"the share of {word}", share)
    return given


def _check_share(what: str, share: object) -> None:
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
        raise UsageError(f"{what} must be between 0 and 1, was {shown(share)}")


def drawn_from(shares: Mapping[str, float], seed: int) -> Draw:
    """Return what draws the fault of a request, the same for the same seed and requests."""
    random = Random(seed)

    def draw(request: VenueRequest, role: str | None, at: int) -> VenueFault | None:
        del at
        for word, share in shares.items():
            fitting = [each for each in MENU[word] if each.fits(request, role)]
            if fitting and random.random() < share:
                return replace(random.choice(fitting), times=None)
        return None

    return draw
