"""One symbol and strategy in one run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from tradenb.core.actions import Action, action_of
from tradenb.core.candidate import Candidate
from tradenb.core.candles.arrays import Candles
from tradenb.core.events import WRONG, AskRow, Function, Outcome
from tradenb.core.lifecycle.holding import unrealised
from tradenb.core.lifecycle.state import State, holding_of
from tradenb.core.money.account import Account
from tradenb.core.prices import price_at
from tradenb.core.rules import Rules
from tradenb.engine.call import Call
from tradenb.engine.context import Context, follow_rules, show_account
from tradenb.engine.session.account_book import AccountBook
from tradenb.engine.session.books import Book
from tradenb.engine.session.quiet_span import QuietSpan
from tradenb.engine.session.repeated_ask import RepeatedAsk
from tradenb.engine.session.vectorised import Signals
from tradenb.engine.specs.strategy_spec import StrategySpec

KEPT: Final = 30
"""So many rows of asks are kept with a live run as they were; older ones are joined."""
REASON: Final = 200
"""Longest reason of a row of asks; longer texts are in the events."""


@dataclass
class Numbering:
    """The last number that was given to an event; all instances of a backtest share one."""

    last: int = 0


_Noted = list[Any]  # of the fields of a row


class AskRows:
    """What the asks of an instance came to; those in a row that came to the same are one row."""

    __slots__ = ("_latest", "_rows")

    def __init__(self, rows: Iterable[AskRow] = ()) -> None:
        self._rows = [*rows]
        # The last asks, since a candidate may be refused yet; a list changes in place.
        self._latest: _Noted | None = None

    def note(
        self,
        at: int,
        outcome: Outcome,
        reason: str = "",
        *,
        managed: bool = False,
        last: int | None = None,
        count: int = 1,
    ) -> None:
        """Note an ask, or several up to `last` that came to the same."""
        if self._latest is not None:
            self._settle(self._latest)
        asked: Function = "manage" if managed else "entry"
        self._latest = [asked, outcome, reason, at, at if last is None else last, count]

    def note_again(self, at: int, outcome: Outcome, reason: str = "") -> None:
        """Note an ask for an entry of which nothing came; nothing said later changes that."""
        latest = self._latest
        if latest and latest[0] == "entry" and latest[1] == outcome and latest[2] == reason:
            latest[4] = at
            latest[5] += 1
        else:
            self.note(at, outcome, reason)

    def note_reply(self, at: int, reply: object, *, managed: bool = False) -> None:
        """Note an ask by its answer."""
        if isinstance(reply, Candidate):
            self.note(at, "candidate", managed=managed)
            return
        if isinstance(reply, Action):
            self.note(at, "action", str(reply.do)[:REASON], managed=managed)
            return
        answers = reply if type(reply) in (list, tuple) else (reply,)
        given = [each for each in answers if each is not None]  # type: ignore[attr-defined]
        does = [action.do for each in given if (action := action_of(each)) is not None]
        if not given:
            self.note(at, "none", managed=managed)
        elif len(does) < len(given):
            self.note(at, "candidate", managed=managed)
        else:
            self.note(at, "action", ", ".join(map(str, does))[:REASON], managed=managed)

    def reject(self, at: int, outcome: Outcome, reason: str) -> None:
        """Note that what was wanted by the ask at a moment was not done, if there was one."""
        latest = self._latest
        if latest is not None and latest[4] == at:
            latest[1:3] = outcome, reason[:REASON]

    @property
    def rows(self) -> list[AskRow]:
        """The rows so far, in the order of time."""
        if self._latest is not None:
            self._settle(self._latest)
            self._latest = None
        return self._rows

    @property
    def count(self) -> int:
        """How often the strategy was called for a candidate."""
        entries = [row for row in self.rows if row.asked == "entry"]
        return sum([row.count for row in entries if row.outcome != "skipped" or row.was_called])

    @property
    def lost(self) -> int:
        """How many calls found too little history."""
        return sum([row.count for row in self.rows if row.reason == "warm_up" and row.was_called])

    @property
    def failed(self) -> int:
        """How many calls for a candidate ended in an error."""
        rows = [row for row in self.rows if row.outcome == "error"]
        return sum([row.count for row in rows if row.asked == "entry"])

    def shortened(self) -> tuple[AskRow, ...]:
        """Forget when older asks were made: before the newest rows there is one of each kind.

        It makes no difference how often that is done on the way.
        """
        rows = self.rows
        kinds: dict[tuple[str, ...], AskRow] = {}
        for row in rows[:-KEPT]:
            kind = row[:2] if row.outcome in WRONG else row[:3]
            kinds[kind] = kinds[kind].joined(row) if kind in kinds else row
        rows[:-KEPT] = kinds.values()
        return tuple(rows)

    def _settle(self, noted: _Noted) -> None:
        """Add an ask to the last row, or begin another with it."""
        rows = self._rows
        if rows:
            before, (asked, outcome, reason, _, last, count) = rows[-1], noted
            same = before[1] == outcome and before[0] == asked
            if same and (before[2] == reason or outcome in WRONG):
                row = (asked, outcome, before[2], before[3], last, before[5] + count)
                rows[-1] = tuple.__new__(AskRow, row)
                return
        rows.append(tuple.__new__(AskRow, noted))


class Instance:
    """One symbol and strategy in one run: the state that moves, and what it is fed with.

    Attributes
    ----------
    candles : Candles
        History and the candles to be consumed.
    place : int
        Its place in the run: strategies in their order, within one the symbols.
    asks : AskRows
        What the asks of its functions came to.
    numbering : Numbering
        Counts its events.
    skipping : bool
        The last ask was skipped, and an event says so; the next skipped ask makes no event.
    halted : bool
        The kill switch is on: the strategy is not asked.
    busy : callable or None
        Tells whether an ask that took too long still runs; until it ends the strategy is not asked.
    signals : Signals or None
        The answers of a vectorised strategy.
    ask_on : Call
        The call of its strategy, which a driver may make again, as `row` says.
    manage : Call
        The same of its manage function.
    row : RepeatedAsk
        The asks in a row that are made now.
    refusing : Refusing or None
        The row of refusals that the next one may belong to.
    rules : Rules
        Those in force.
    quiet : QuietSpan or None
        In which it is to be asked next.
    next_rules : Rules or None
        Those that hold from the next time that nothing is open or waits.
    charged : Charged
        The funding of its positions.
    account : Account or None
        How large its entries are, in money.
    money : AccountBook or None
        What all that share the account have.
    """

    def __init__(
        self,
        spec: StrategySpec,
        state: State,
        candles: Candles,
        place: int,
        make_context: Callable[[str], Context],
        *,
        rules: Rules,
        numbering: Numbering,
        saved: str = "{}",
        signals: Signals | None = None,
        account: Account | None = None,
    ) -> None:
        self.spec = spec
        self.state = managed_by(spec, state)
        self.refusing = state.refusing
        self.charged = state.charged
        self.account = account
        self.money: AccountBook | None = None
        self.candles = candles
        self.place = place
        self.books: tuple[Book, ...] = ()
        self.asks = AskRows(state.asks)
        self.rules = rules
        self.next_rules: Rules | None = None
        self.quiet: QuietSpan | None = None
        self.numbering = numbering
        self.callbacks = spec.callbacks
        self.skipping = False
        self.halted = False
        self.busy: Callable[[], bool] | None = None
        self.signals = signals
        self._make_context = make_context
        self.renew(saved)

    def renew(self, saved: str) -> None:
        """Make a new context; a function that hangs may still use the old one."""
        self.context = self._make_context(saved)
        follow_rules(self.context, self.rules)
        show_account(self.context, self.money)
        self.row = RepeatedAsk(self.context)
        self.ask = self._call(self.signals or self.spec.function, f"strategy {self.spec.name}")
        self.ask_on = self.ask._replace(again=self.row.again)
        self.manage = self.ask
        manager = self.spec.manager
        call = self.signals.manage if self.signals else manager and manager.function
        if call is not None:
            self.manage = self._call(call, f"manage of {self.spec.name}")
        self.manage = self.manage._replace(again=self.row.again)

    def _call(self, function: Callable[..., Any], what: str) -> Call:
        return Call(function, (self.context,), what, self.state.symbol, asks=True)

    @property
    def price(self) -> float:
        """Market price at its cursor, quote currency."""
        return price_at(self.candles, self.state.cursor, self.rules)

    @property
    def unrealised(self) -> float | None:
        """What its position would earn at that price, percent; None while it has none."""
        state, signal = self.state, self.state.signal
        if signal is None or not state.is_open:
            return None
        holding = holding_of(state, signal, self.rules)
        return unrealised(signal, holding, self.price, self.rules)

    def give_rules(self, rules: Rules, given: Rules) -> None:
        """Go on under some rules; `given` hold from the next time that it is flat."""
        self.rules = rules
        self.next_rules = None if given == rules else given
        follow_rules(self.context, rules)
        self.take_next_rules()

    def take_next_rules(self) -> None:
        """Go over to the rules that were given, if nothing is open or waits."""
        if self.next_rules is not None and self.state.signal is None:
            self.rules, self.next_rules = self.next_rules, None
            follow_rules(self.context, self.rules)

    def rest(self) -> None:
        """Leave in the state what is kept beside it while a session pumps."""
        kept = self.refusing, self.charged
        if kept != (self.state.refusing, self.state.charged):
            self.state = self.state._replace(refusing=self.refusing, charged=self.charged)

    def share(self, money: AccountBook | None) -> None:
        """Share an account with others, and show it to the strategy."""
        self.money = money
        show_account(self.context, money)

    def follow_table(self, signals: Signals) -> None:
        """Be asked about what is open where the table of a vectorised strategy has exits or moves.

        Before it is computed that is not known, and what is open, or opens, is asked about.
        """
        known = signals.manages
        manages = self.state.signal is not None if known is None else known
        every = self.spec.every_ms if manages else None
        if self.state.manage_every != every:
            self.state = self.state._replace(manage_every=every)


def managed_by(spec: StrategySpec, state: State) -> State:
    """Return a state that knows when the manage function of a strategy is asked."""
    manager = spec.manager
    every, waiting = (None, False) if manager is None else (manager.every_ms, manager.waiting)
    if (state.manage_every, state.manage_waiting) == (every, waiting):
        return state
    return state._replace(manage_every=every, manage_waiting=waiting)
