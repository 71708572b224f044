"""The fast way of vectorised strategies, one or several, with an account or without.

Without an account none of them can come in the way of another. With one they can: so each is
followed as if it were alone, then all are booked in the order of the machine. Where funds refuse an
entry, what follows is another story, which the machine tells.
"""

from __future__ import annotations

from collections.abc import Sequence

from tradenb.backtest.fast.exits import Exits
from tradenb.backtest.fast.fast_vectorised import FastVectorised, run_vectorised
from tradenb.backtest.fast.rounds import AccountRounds, BookedRound, held_in_money, phase_of
from tradenb.core.events import Event
from tradenb.core.money.position_money import with_money
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
    booked : list of list of BookedRound, or None
        With an account: the positions of each place.
    """

    def __init__(
        self,
        instances: Sequence[Instance],
        several: Sequence[FastVectorised],
        booked: list[list[BookedRound]] | None,
    ) -> None:
        self._instances = instances
        self._several = several
        self._booked = booked
        self._begun = [instance.state for instance in instances]

    @property
    def asks(self) -> int:
        """How many rows were looked at."""
        return sum(each.asks for each in self._several)

    @property
    def rejected(self) -> int:
        """How many candidates were refused."""
        return sum(each.rejected for each in self._several)

    def trades(self) -> list[Trade]:
        """Make the closed trades, in the order of the machine."""
        found = []
        for place, each in enumerate(self._several):
            trades = each.trades()
            if self._booked is not None:
                money = [own.money for own in self._booked[place]]
                trades = [with_money(trade, own) for trade, own in zip(trades, money, strict=False)]
            phases = (phase_of(trade.exit_reason) for trade in trades)
            found += [
                (trade.closed_at, phase, place, trade)
                for phase, trade in zip(phases, trades, strict=True)
            ]
        found.sort(key=lambda item: item[:3])
        return [trade for *_, trade in found]

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
            own = [] if self._booked is None else self._booked[place]
            state = each.last_state(own[-1].given if own and each.open else None)
            instance.state = state._replace(earned=own[-1].earned) if own else state

    def money_held(self, end: int) -> dict[Key, MoneyHeld] | None:
        """Return what each instance held and booked; None without an account."""
        if self._booked is None:
            return None
        return {
            (item.state.strategy, item.state.symbol): held_in_money(own, item, end)
            for item, own in zip(self._instances, self._booked, strict=True)
        }

    def events(self) -> list[Event]:
        """Let the machine make the events."""
        if len(self._several) == 1 and self._booked is None:
            return self._several[0].events()
        for instance, state in zip(self._instances, self._begun, strict=True):
            instance.state, instance.numbering.last = state, 0
        session = Session(self._instances)
        pump = session.pump(max(instance.candles.end for instance in self._instances))
        reply: object = None
        while True:
            try:
                call = pump.send(reply)
            except StopIteration:
                return session.events
            reply = call.function(*call.args)  # a look into its table


def run_portfolio(instances: Sequence[Instance], tables: Sequence[Table]) -> FastPortfolio | None:
    """Run vectorised strategies that share nothing but an account; None where the machine must."""
    account = instances[0].account
    if account is not None and (account.funding_percent or account.funding is not None):
        return None
    several = []
    for instance, table in zip(instances, tables, strict=True):
        several.append(run_vectorised(instance, table, Exits(instance.candles, instance.rules)))
        if several[-1].rejected and (len(instances) > 1 or account is not None):
            return None  # warnings name what was refused; only one table has its own events
    if account is None:
        return FastPortfolio(instances, several, None)
    booked = AccountRounds(instances, account).book([each.rounds() for each in several])
    return None if booked is None else FastPortfolio(instances, several, booked)
