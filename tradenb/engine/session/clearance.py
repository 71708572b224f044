"""What risk rules say to a signal that is about to be scheduled or opened."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Final

from tradenb.core.lifecycle.state import NeedClearance, Refusal
from tradenb.engine.call import Call, words_of
from tradenb.engine.session.books import Peers
from tradenb.engine.session.instance import Instance
from tradenb.errors import UsageError

BOOK: Final = "the book of the risk rules"
Fail = Callable[[Instance, int, str, Exception], None]


class Clearance:
    """Asks the risk rules of an instance.

    Parameters
    ----------
    consult : callable or None
        Called before rules are asked; says who else takes part in their books.
    """

    def __init__(self, consult: Callable[[], Peers] | None) -> None:
        self._consult = consult

    def of(
        self, instance: Instance, need: NeedClearance, fail: Fail
    ) -> Generator[Call, Any, Refusal | None]:
        """Ask the risk rules; the first refusal ends it. What is no clear answer refuses.

        Parameters
        ----------
        instance : Instance
        need : NeedClearance
        fail : callable
            Told of a rule that raised: the instance, when, what it was, and the exception.
        """
        if instance.books and self._consult is not None:
            refusal = yield from self._admit(instance, need, self._consult, fail)
            if refusal is not None:
                return refusal
        for rule, book in zip(instance.spec.risk, instance.books, strict=True):
            function, given = rule.function, (book.at(need.at, instance), need.signal)
            try:
                if rule.at_once:
                    verdict = function(*given)
                else:
                    verdict = yield Call(
                        function, given, f"risk rule {rule.name}", instance.state.symbol
                    )
                if verdict is None:
                    continue
                if isinstance(verdict, str) and verdict:
                    return Refusal(rule.name, verdict)
                raise UsageError(
                    f"a risk rule must return None or a non-empty string, was {verdict!r:.80}"
                )
            except Exception as error:  # noqa: BLE001 - the user's code; becomes an event
                fail(instance, need.at, f"risk rule {rule.name}", error)
                return Refusal(rule.name, f"failed: {words_of(error)}")
        return None

    def _admit(
        self, instance: Instance, need: NeedClearance, consult: Callable[[], Peers], fail: Fail
    ) -> Generator[Call, Any, Refusal | None]:
        """Let others take part in the books; while it is not known who does, nothing is opened."""
        try:
            peers = yield Call(consult, (), BOOK, instance.state.symbol)
        except Exception as error:  # noqa: BLE001 - becomes an event
            fail(instance, need.at, BOOK, error)
            return Refusal(instance.books[0].name, f"failed: {words_of(error)}")
        for book in instance.books:
            book.admit(peers.peers, since=peers.since[book.name])
        return None
