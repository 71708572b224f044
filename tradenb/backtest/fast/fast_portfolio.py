"""The fast way of vectorised strategies, one or several, with an account and risk rules or without.

Without these none of them can come in the way of another, so each is followed on its own. With them
all are followed together.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import cached_property

import numpy as np

from tradenb.backtest.fast.exits import Exits
from tradenb.backtest.fast.fast_vectorised import FastVectorised, run_vectorised
from tradenb.backtest.fast.rounds import Booked, held_in_money, phase_of
from tradenb.backtest.fast.shared_walk import SharedWalk
from tradenb.core.events import AskRow, Event
from tradenb.core.lifecycle.state import Refusing
from tradenb.core.money.account import Account
from tradenb.core.signal import Trade
from tradenb.engine.session.instance import Instance
from tradenb.engine.session.pump import Session
from tradenb.engine.session.signal_table import Table
from tradenb.statistics.equity.money_curve import MoneyHeld

Key = tuple[str, str]


class FastPortfolio:
    """What became of the candidates of the tables of a run.

    Parameters
    ----------
    several : sequence of FastVectorised
        By place.
    booked : list of Booked, or None
        With an account: the positions of each place in money.
    refused : sequence of int
        How many candidates of each place risk rules and funds refused; empty where nothing can.
    """

    def __init__(
        self,
        instances: Sequence[Instance],
        several: Sequence[FastVectorised],
        booked: list[Booked] | None = None,
        refused: Sequence[int] = (),
    ) -> None:
        self._instances = instances
        self._several = several
        self._booked = booked
        self._refused = refused
        self._begun = [instance.state for instance in instances]

    @property
    def asks(self) -> int:
        """How often they were asked for an entry."""
        return sum(each.asks for each in self._several)

    @property
    def rejected(self) -> int:
        """How many candidates broke a rule."""
        return sum(each.rejected for each in self._several)

    @property
    def refused(self) -> int:
        """How many candidates risk rules and funds refused."""
        return sum(self._refused)

    @property
    def cut(self) -> list[float]:
        """Part of what they asked for that entries were given for which too little was free."""
        return [share for each in self._booked or () for share in each.cut]

    @property
    def refused_strategies(self) -> set[str]:
        """Names of the strategies of which a candidate was refused."""
        pairs = zip(self._begun, self._refused, strict=False)
        return {state.strategy for state, count in pairs if count}

    def trades(self) -> list[Trade]:
        """Make the closed trades, in the order of the machine."""
        found: list[Trade] = []
        counts = []
        for place, each in enumerate(self._several):
            own = each.trades() if self._booked is None else each.trades(self._booked[place].closed)
            found += own
            counts.append(len(own))
        places = np.repeat(np.arange(len(counts)), counts)
        phases = [phase_of(trade.exit_reason) for trade in found]
        order = np.lexsort(
            (places, np.array(phases), np.array([trade.closed_at for trade in found]))
        )
        return [found[each] for each in order.tolist()]

    def first_stops(self) -> dict[tuple[str, str, int], float]:
        """Return the stop that each position began with, by symbol, strategy and opening."""
        return {
            (state.symbol, state.strategy, own.opened_at): own.stop
            for state, each in zip(self._begun, self._several, strict=True)
            for own in each.rounds()
        }

    def put_last_states(self) -> None:
        """Leave in the instances what they hold at the end."""
        for place, (instance, each) in enumerate(zip(self._instances, self._several, strict=True)):
            if self._booked is None:
                instance.state = each.last_state()
                continue
            own = self._booked[place]
            state = each.last_state(own.given if each.open else None)
            instance.state = state._replace(earned=own.earned)

    def find_money(self, end: int) -> Callable[[], dict[Key, MoneyHeld]] | None:
        """Return what finds what each instance held and booked; None without an account."""
        booked = self._booked
        if booked is None:
            return None
        return lambda: {
            (item.state.strategy, item.state.symbol): held_in_money(
                each.rounds(), own.quantities, item, end
            )
            for item, each, own in zip(self._instances, self._several, booked, strict=True)
        }

    def events(self) -> list[Event]:
        """Let the machine make the events."""
        if len(self._several) == 1 and self._booked is None and not self.refused:
            return self._several[0].events()
        return self._by_machine.events

    def events_of(self, symbols: Collection[str]) -> list[Event]:
        """Let the machine make the events of the positions of some symbols, without money."""
        found: list[Event] = []
        for state, each in zip(self._begun, self._several, strict=True):
            if state.symbol in symbols:
                found += each.events()
        return sorted(found, key=lambda event: event.at)

    def refusals(self) -> list[tuple[str, str, Refusing]]:
        """Let the machine make the rows of refusals."""
        return self._by_machine.refusals if self.refused else []

    def asked(self) -> list[tuple[str, str, Sequence[AskRow]]]:
        """Let the machine say what every ask came to."""
        return self._by_machine.asked

    @cached_property
    def _by_machine(self) -> Session:
        for instance, state in zip(self._instances, self._begun, strict=True):
            instance.state, instance.numbering.last = state, 0
        session = Session(self._instances)
        pump = session.pump(max(instance.candles.end for instance in self._instances))
        reply: object = None
        while True:
            try:
                call = pump.send(reply)
            except StopIteration:
                return session
            reply = call.function(*call.args)  # a look into its table


def run_portfolio(instances: Sequence[Instance], tables: Sequence[Table]) -> FastPortfolio | None:
    """Run vectorised strategies that share nothing, or what is known; None where the machine must.

    What may be shared is an account, and risk rules that take no time.
    """
    account = instances[0].account
    if account is not None and account.has_funding:
        return None
    if account is not None or any(instance.spec.risk for instance in instances):
        return _together(instances, tables, account)
    several = []
    for instance, table in zip(instances, tables, strict=True):
        several.append(
            run_vectorised(
                instance, table, Exits(instance.candles, instance.rules, remembers=False)
            )
        )
        if several[-1].rejected and len(instances) > 1:
            return None  # warnings name what was refused; only one table has its own events
    return FastPortfolio(instances, several)


def _together(
    instances: Sequence[Instance], tables: Sequence[Table], account: Account | None
) -> FastPortfolio | None:
    walk = SharedWalk(instances, tables, account)
    walk.follow()
    several = [walker.found() for walker in walk.walkers]
    known = [found for found in several if found is not None]
    if len(known) < len(several):
        return None  # warnings name the candidates that broke a rule
    booked = None if account is None else [walker.booked for walker in walk.walkers]
    return FastPortfolio(instances, known, booked, [walker.refused for walker in walk.walkers])
