"""What a risk rule refuses again is counted without a question, and nothing else differs by it."""

from __future__ import annotations

from random import Random
from typing import ClassVar

import pytest

import tradenb as tn
from tests.engine.sessions import pumped, scripted, session, shown, spec
from tests.sources import minute
from tradenb.core import risk
from tradenb.core.lifecycle.state import Command
from tradenb.engine.specs.risk_spec import RiskSpec
from tradenb.errors import NotEnoughCandles

SYMBOLS = ("BTC", "ETH", "SOL")
MINUTES = 240
NAME = "portfolio"


class Counted(RiskSpec):
    """A rule whose refusals hold."""

    at_once: ClassVar[bool] = True
    holds: ClassVar[bool] = True


def plain(ctx):
    price = ctx.price
    return tn.long(take_profit=1.02 * price, stop_loss=0.99 * price, minutes=20)


def waits(ctx):
    price = ctx.price
    return tn.long(entry=0.998 * price, stop_loss=0.98 * price, wait=7)


def invalid(ctx):
    return tn.long(take_profit=1.02 * ctx.price, stop_loss=1.01 * ctx.price, minutes=20)


def mapping(ctx):
    return {"position": "short", "stop_loss": 1.015 * ctx.price, "minutes": 12}


def named(ctx):
    return plain(ctx)._replace(id=f"mine-{ctx.symbol}-{ctx.now}", note="with words")


def fails(ctx):
    raise ValueError("no idea")


def lacks(ctx):
    raise NotEnoughCandles("too few")


ANSWERS = (plain, plain, plain, plain, waits, invalid, mapping, named, fails, lacks, None, None)


def walk(random):
    rows, close = [], 100.0
    for _ in range(MINUTES):
        opened, close = close, close * (1 + random.uniform(-0.004, 0.004))
        high, low = max(opened, close) * 1.001, min(opened, close) * 0.999
        rows.append((opened, high, low, close, 1.0))
    return rows


def scripts(random):
    """For each symbol an answer at each minute; one in a row mostly comes again."""
    made = {}
    for symbol in SYMBOLS:
        answer, own = None, {}
        for at in range(1, MINUTES + 1):
            if random.random() < 0.3:
                answer = random.choice(ANSWERS)
            own[at] = answer
        made[symbol] = own
    return made


def played(rules, *, seed, commands=(), blocks=(MINUTES,)):
    random = Random(seed)
    rows = {symbol: walk(random) for symbol in SYMBOLS}
    log: list = []
    specs = [
        spec("a", scripted(scripts(random), log), risk=rules),
        spec("b", scripted(scripts(random), log), every="3m", risk=rules[:1]),
        spec("c", scripted(scripts(random), log), risk=rules[::-1]),
    ]
    made = session(specs, rows, commands=commands)
    for until in blocks:
        pumped(made, until)
    return made, log


def outcome(made):
    states = [instance.state for instance in made.instances]
    return made.events, made.trades, made.refusals, made.asked, states


@pytest.mark.parametrize("seed", range(8))
def test_a_rule_that_is_known_to_refuse_differs_in_nothing_from_one_that_is_asked(seed):
    random = Random(seed)
    holding = [risk.max_open(random.randint(1, 4)), risk.max_drawdown(random.uniform(2, 9))]
    given = random.choice([holding, holding[::-1], holding[:1]])
    names = [f"{NAME} {number}" for number in range(len(given))]
    pairs = list(zip(names, given, strict=True))
    asked = [RiskSpec(name=name, function=function) for name, function in pairs]
    known = [Counted(name=name, function=function) for name, function in pairs]
    flatten = Command(at=minute(random.randrange(MINUTES // 2)), kind="flatten")
    commands = random.choice([(), (flatten,)])
    one, log = played(asked, seed=seed, commands=commands)
    cuts = sorted(random.sample(range(1, MINUTES), 5))
    other, again = played(known, seed=seed, commands=commands, blocks=(*cuts, MINUTES))
    assert one.refusals
    assert sum(row.count for _, _, row in one.refusals) > 2 * len(one.refusals)
    assert outcome(other) == outcome(one)
    assert again == log


def test_it_is_asked_again_only_when_something_in_its_book_has_changed():
    full, questions = risk.max_open(1), []

    def rule(book, candidate):
        questions.append((book.now, candidate.symbol))
        return full(book, candidate)

    rows = {symbol: [(100.0, 100.1, 99.9, 100.0, 1.0)] * 30 for symbol in SYMBOLS}
    script = dict.fromkeys(range(1, 29), plain)
    own = spec("a", scripted(script), risk=[Counted(name=NAME, function=rule)])
    made = pumped(session(own, rows))
    # What BTC holds is open for 20 minutes; on the candle that ends it BTC is the first again.
    assert [event.at for event in made.events if event.kind == "opened"] == [minute(1), minute(21)]
    first = [(minute(1), symbol) for symbol in SYMBOLS]
    # SOL is refused as ETH was, which an event has told of at minute 1.
    assert questions == [*first, (minute(21), "BTC"), (minute(21), "ETH")]
    assert [row.count for _, _, row in made.refusals] == [28, 28]


def test_a_slot_is_free_again_when_a_signal_that_waited_for_its_entry_is_gone():
    rows = {symbol: [(100.0, 100.1, 99.9, 100.0, 1.0)] * 12 for symbol in SYMBOLS}
    never = tn.long(entry=90.0, stop_loss=80.0, minutes=20, wait=5)
    script = {"BTC": {1: never}, "ETH": dict.fromkeys(range(2, 12), plain), "SOL": {}}
    own = spec("a", scripted(script), risk=[Counted(name=NAME, function=risk.max_open(1))])
    assert shown(pumped(session(own, rows)).events) == [
        (1, "scheduled", "BTC", "a"),
        (2, "rejected", "ETH", "a"),
        (6, "cancelled", "BTC", "a"),
        (6, "opened", "ETH", "a"),
    ]
