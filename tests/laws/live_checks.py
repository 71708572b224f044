"""Laws 3, 4 and 6 as plain functions: a scenario in, what is broken out.

The live side is the real loop with its files on a fake disk, in virtual time (`World`). The runs of
a scenario are those of the backtest: strategies in their order, within one the symbols.
"""

from __future__ import annotations

from random import Random
from typing import Any

from tests.laws.generators import raw_rows
from tests.scenarios import (
    EVENT,
    Played,
    accepted_candles,
    event_row,
    first_differences,
    on_tradenb,
    table_differences,
    tradenb_account,
    tradenb_market,
    tradenb_rules,
    tradenb_strategies,
)
from tradenb.core.lifecycle.state import Command
from tradenb.engine.hand_commands import HAND_FIELDS
from tradenb.engine.serialise import event_to_row
from tradenb.errors import CandleError
from tradenb.live.live_run import record_of
from tradenb.testing.world.simulated_world import Action, World

MINUTE = 60_000
LAST_WAIT = 40_000  # as long as a group waits for a candle that is missing, and no longer
AT, SYMBOL, STRATEGY, KIND = (EVENT.index(n) for n in ("at", "symbol", "strategy", "kind"))
Rows = dict[tuple[str, str], list[tuple[Any, ...]]]


def is_refused(scenario: dict[str, Any]) -> bool:
    """Tell whether its candles are none that can be lived."""
    rules = tradenb_rules(scenario)
    try:
        for symbol in scenario["symbols"]:
            accepted_candles(scenario, symbol, rules)
    except CandleError:
        return True
    return False


def livable(scenario: dict[str, Any]) -> dict[str, Any]:
    """The scenario as it can be lived: it begins and ends while every symbol has candles.

    Runs that share a risk rule wait for one another, so one whose candles end early would hold up
    the others until the world ends.
    """
    grids = [raw_rows(scenario["candles"][name]) for name in scenario["symbols"]]
    start = max(scenario["start"], *(int(rows[0][0]) + MINUTE for rows in grids))
    end = min(scenario["end"], *(int(rows[-1][0]) + MINUTE for rows in grids))
    end = max(end - end % MINUTE, start)
    commands = [command for command in scenario["commands"] if command["at"] < end]
    rules = {name: value for name, value in scenario["rules"].items() if value is not None}
    reference = scenario.get("reference", False)
    if reference:
        rules = {"price": "average", "same_candle": "target_first", "max_signal_minutes": 1440}
        rules["require_take_profit"] = True
    return {
        **scenario, "start": start, "end": end, "commands": commands, "rules": rules,
        "reference": False,
    }  # fmt: skip


class Lived:
    """A scenario, and the world that it is lived in."""

    def __init__(self, scenario: dict[str, Any]) -> None:
        self.scenario = scenario
        self.played = Played()
        self.rules = tradenb_rules(scenario)
        specs = tradenb_strategies(scenario, self.played)
        candles = {
            symbol: accepted_candles(scenario, symbol, self.rules) for symbol in scenario["symbols"]
        }
        runs = [(symbol, spec) for spec in specs for symbol in scenario["symbols"]]
        self.world = World(
            candles,
            start=scenario["start"],
            runs=runs,
            rules=self.rules,
            account=tradenb_account(scenario),
        )
        self.world.exchange.markets = {
            symbol: tradenb_market(scenario, symbol) for symbol in scenario.get("market", ())
        }
        self.end = scenario["end"] - scenario["end"] % MINUTE
        self.given = 0

    def live(self) -> bool:
        """Let a process live from now to the end; tell whether it came there."""
        until = max(self.end + LAST_WAIT, self.world.clock.true_now() + LAST_WAIT)
        return self.world.live(until, self._deeds())

    def states(self) -> list[Any]:
        """The states in the documents."""
        found = []
        for symbol, spec in self.world.wanted:
            storage = self.world.make_storage(
                self.world.home, symbol, spec, self.world.exchange.name,
                now=self.world.clock.now, filesystem=self.world.disk,
            )  # fmt: skip
            kept = storage.open()
            storage.close()
            if kept is not None:
                found.append(kept.state)
        return found

    def rows(self) -> Rows:
        """The journals, one for each run."""
        return {
            (symbol, spec.name): [event_row(event_to_row(e)) for e in self.world.events(run)]
            for run in self.world.wanted
            for symbol, spec in [run]
        }

    def _deeds(self) -> list[Action]:
        """The commands that are still to be given."""
        commands = sorted(self.scenario["commands"], key=lambda command: command["at"])
        return [
            Action(command["at"], self._giving(place, command))
            for place, command in enumerate(commands)
            if place >= self.given
        ]

    def _giving(self, place: int, command: dict[str, Any]) -> Any:
        def give(process: Any) -> None:
            run = process.run(command["symbol"], command["strategy"])
            extra = (command.get("id"), command.get("cancel_id"), None)
            values = {name: command[name] for name in HAND_FIELDS if name in command}
            self.given = place + 1
            if run.status == "running":
                order = Command(command["at"], command["kind"], *extra, values or None)
                record_of(run).accept(order)

        return give


def live_broken(scenario: dict[str, Any]) -> list[str]:
    """Law 3: live under a fake clock is the backtest, event by event."""
    if is_refused(scenario):
        return []
    scenario = livable(scenario)
    lived = Lived(scenario)
    if not lived.live():
        return ["it died"]
    expected = on_tradenb(scenario)
    # An ask that reads a symbol for the first time is repeated when its candles are loaded.
    asks = {name: list(dict.fromkeys(times)) for name, times in lived.played.asks.items()}
    found = table_differences("asks", asks, expected.asks)
    found += rows_differ(lived.rows(), by_run(expected))
    return found + announced_differ(lived) + money_differs(lived, expected)


def money_differs(lived: Lived, expected: Played) -> list[str]:
    """Pieces and changes of the balance, to the last digit."""
    if "account" not in lived.scenario:
        return []
    events = expected.result.event_list
    pieces = {
        (symbol, spec.name): [e.quantity for e in lived.world.events((symbol, spec))]
        for symbol, spec in lived.world.wanted
    }
    found = []
    for key, own in pieces.items():
        wanted = [e.quantity for e in events if (e.symbol, e.strategy) == key]
        found += first_differences(f"pieces of {key}", own, wanted)
    states = {(state.symbol, state.strategy): state for state in lived.states()}
    for state in expected.result._figures._states:
        other = states[state.symbol, state.strategy]
        booked = [(each.earned, each.charged, each.trades) for each in (other, state)]
        found += first_differences(f"money of {state.strategy}", [booked[0]], [booked[1]])
    return found


def crash_broken(scenario: dict[str, Any], random: Random, *, crashes: int = 3) -> list[str]:
    """Law 4: killed at any disk operation and restarted, the events are the same."""
    if is_refused(scenario):
        return []
    scenario = {**livable(scenario), "commands": []}
    expected = by_run(on_tradenb(scenario))
    whole = Lived(scenario)
    whole.live()
    count = len(whole.world.disk.operations)
    for at in sorted(random.sample(range(count), min(crashes, count))):
        lived = Lived(scenario)
        lived.world.disk.crash(at, done=bool(random.randrange(2)))
        if not lived.live():
            lived.live()
        found = rows_differ(lived.rows(), expected) + announced_differ(lived)
        if found:
            return [f"killed at operation {at} of {count}: {words}" for words in found]
    return []


def isolation_broken(scenario: dict[str, Any]) -> list[str]:
    """Law 6: a backtest in the middle of a live run of the same strategies changes neither."""
    if is_refused(scenario):
        return []
    scenario = livable(scenario)
    alone = Lived(scenario)
    alone.live()
    expected = on_tradenb(scenario)
    lived = Lived(scenario)
    specs = {spec.name: spec for _, spec in lived.world.wanted}
    results: list[Any] = []
    middle = (scenario["start"] + lived.end) // 2

    def backtest(process: Any) -> None:
        results.append(backtested(scenario, specs.values()))

    until = max(lived.end, middle) + 3_000
    lived.world.live(until, [*lived._deeds(), Action(middle, backtest)])
    found = rows_differ(lived.rows(), alone.rows())
    if not results:
        return found  # all runs had been stopped before the middle
    return found + first_differences("backtest", results[0], expected.events)


def backtested(scenario: dict[str, Any], specs: Any) -> list[tuple[Any, ...]]:
    """The events of a backtest with the very strategies that are running live."""
    import tradenb as tn
    from tests.scenarios import candle_frame

    frames = {symbol: candle_frame(scenario, symbol) for symbol in scenario["symbols"]}
    result = tn.backtest.run(
        list(scenario["symbols"]),
        strategy=list(specs),
        exchange=tn.frame_exchange(frames),
        start=scenario["start"],
        end=scenario["end"],
        rules=tradenb_rules(scenario),
        commands=list(scenario["commands"]),
    )
    return [event_row(event_to_row(event)) for event in result.event_list]


def by_run(played: Played) -> Rows:
    """The events of a backtest, one list for each run."""
    rows: Rows = {}
    for event in played.events:
        rows.setdefault((event[SYMBOL], event[STRATEGY]), []).append(event)
    return rows


def rows_differ(left: Rows, right: Rows) -> list[str]:
    """The first event of each run in which two sets of journals differ."""
    return [
        words
        for run in sorted({*left, *right})
        for words in first_differences(":".join(run), left.get(run, []), right.get(run, []))
    ]


def announced_differ(lived: Lived) -> list[str]:
    """What was told to subscribers is what the journals say, at least once."""
    found = []
    for run in lived.world.wanted:
        symbol, spec = run
        told = {
            event.seq: event_row(event_to_row(event))
            for event in lived.world.announced
            if (event.symbol, event.strategy) == (symbol, spec.name)
        }
        written = {e.seq: event_row(event_to_row(e)) for e in lived.world.events(run)}
        if list(written) != list(range(1, len(written) + 1)):
            found.append(f"{symbol}:{spec.name}: the journal counts {list(written)}")
        if told != written:
            found.append(f"{symbol}:{spec.name}: told {told}, written {written}")
    return found
