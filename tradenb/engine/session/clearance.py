"""Risk rules in a session: instances that name one rule share a book, and a signal needs clearance.

The rules are the user's functions, so they are called through the driver like a strategy.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any, Final, Protocol

from tradenb.core.candidate import Candidate
from tradenb.core.lifecycle.state import NeedClearance, Refusing
from tradenb.core.prices import price_at
from tradenb.core.risk import Refusal
from tradenb.core.validation.candidate_rules import is_plain
from tradenb.engine.call import Call, words_of
from tradenb.engine.session.books import Book, Member, Peers
from tradenb.engine.session.instance import Instance
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.errors import UsageError, shown

BOOK: Final = "the book of the risk rules"
FindPeers = Callable[[], Peers]
Fail = Callable[[Instance, int, str, Exception], None]


class Asking(Member, Protocol):
    """An instance whose signals need the clearance of its risk rules."""

    books: tuple[Book, ...]

    @property
    def spec(self) -> StrategySpec:
        """It names the rules."""


def share_books(instances: Sequence[Asking]) -> None:
    """Give the instances that name one rule one book."""
    members: dict[str, list[Asking]] = {}
    for instance in instances:
        for rule in instance.spec.risk:
            members.setdefault(rule.name, []).append(instance)
    books: dict[str, Book] = {}
    for instance in instances:
        for rule in instance.spec.risk:
            if rule.name not in books:
                books[rule.name] = Book(rule.name, members[rule.name])
        instance.books = tuple(books[rule.name] for rule in instance.spec.risk)


def ask_risk_rules(
    instance: Instance, need: NeedClearance, find_peers: FindPeers | None, fail: Fail
) -> Generator[Call, Any, Refusal | None]:
    """Ask the risk rules of an instance in their order; the first refusal ends it.

    Parameters
    ----------
    find_peers : callable or None
        Returns the runs outside the session that share the books.
    fail : callable
        Called for a rule that raised: with the instance, the time, what failed and the exception.

    Returns
    -------
    Refusal or None
        A rule that raises, or returns neither None nor a sentence, refuses.
    """
    if find_peers is not None:
        refusal = yield from _include_peers(instance, need, find_peers, fail)
        if refusal is not None:
            return refusal
    for rule, book in zip(instance.spec.risk, instance.books, strict=True):
        function, seen = rule.function, book.at(need.at, instance)
        given = seen, need.signal
        what = f"risk rule {rule.name}"
        try:
            if rule.at_once:
                verdict = function(*given)
            else:
                verdict = yield Call(function, given, what, instance.state.symbol)
            if verdict is None:
                continue
            if isinstance(verdict, str) and verdict:
                if rule.holds:
                    book.note_refusal(function, seen)
                return Refusal(rule.name, verdict)
            raise UsageError(
                f"a risk rule must return None or a non-empty string, was {shown(verdict)}"
            )
        except Exception as error:  # noqa: BLE001 - the user's code; becomes an event
            fail(instance, need.at, what, error)
            return Refusal(rule.name, f"failed: {words_of(error)}")
    return None


def is_refused_again(instance: Instance, row: Refusing, reply: object, at: int) -> bool:
    """Tell whether it is known that a candidate belongs to a row of refusals.

    That is so while the first rule refused, and nothing in its book has changed; a candidate that
    breaks a rule of its own does not come before it.
    """
    if type(reply) is not Candidate or not instance.books:
        return False
    rule, state, rules = instance.spec.risk[0], instance.state, instance.rules
    return (
        rule.function in instance.books[0].refusing
        and row.name == rule.name
        and row.exit_reason == "risk"
        and state.market is None
        and state.execution is None
        and is_plain(reply, price_at(instance.candles, at, rules), rules)
    )


def _include_peers(
    instance: Instance, need: NeedClearance, find_peers: FindPeers, fail: Fail
) -> Generator[Call, Any, Refusal | None]:
    """Bring the books up to date with other runs; while that fails, nothing is opened."""
    try:
        peers = yield Call(find_peers, (), BOOK, instance.state.symbol)
    except Exception as error:  # noqa: BLE001 - becomes an event
        fail(instance, need.at, BOOK, error)
        words = f"failed: {words_of(error)}"
        if instance.books:
            return Refusal(instance.books[0].name, words)
        return Refusal("funds", words, "funds")
    for book in instance.books:
        book.include(peers.peers, since=peers.since[book.name])
    if instance.money is not None:
        instance.money.include(peers.peers)
    return None
