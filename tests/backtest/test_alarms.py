"""A strategy that never proposed anything is named first, in red, with the cause."""

from __future__ import annotations

import pandas as pd
import pytest

import tradenb as tn
from tests.sources import DAY, T0, exchange, flat, market, minute
from tradenb.core.events import AskRow, event_of
from tradenb.core.lifecycle.state import State
from tradenb.engine.specs.risk_spec import RiskSpec
from tradenb.view.conduct.ask_words import why_words


def played(function, account=None, rules=None, **more):
    spec = tn.strategy("quiet", every="15m", **more)(function)
    return tn.backtest.run(
        "BTCUSDT",
        strategy=spec,
        exchange=exchange(market(3, 300)),
        start=minute(60),
        account=account,
        rules=rules,
        progress=False,
    )


def forgot(ctx):
    if ctx.price > 0:
        tn.long(stop_loss=0.9 * ctx.price)


async def waits(ctx):
    return None


def failing(ctx):
    return ctx.price / 0


def short_of_history(ctx):
    return ctx.candles("1d", 3)


def zero(ctx):
    return 0


def never(ctx):
    return tn.long(stop_loss=1.0) if ctx.price < 0 else None


def table(df):
    return {"position": None, "stop_loss": df.close}


CASES = [
    (
        forgot,
        {},
        "strategy 'quiet' has no return with a value, so each of its 16 asks",
    ),
    (waits, {}, "strategy 'quiet' never proposed anything in 16 asks"),
    (
        failing,
        {},
        "strategy 'quiet' failed at each of its 16 asks; the first: strategy quiet",
    ),
    (short_of_history, {}, "strategy 'quiet' found too little history at each of its 16 asks"),
    (never, {}, "strategy 'quiet' never proposed anything in 16 asks"),
    (table, {"vectorised": True}, "strategy 'quiet' never proposed anything in 16 asks"),
]


@pytest.mark.parametrize(
    ("function", "more", "words"), CASES, ids=[case[0].__name__ for case in CASES]
)
def test_a_silent_strategy_is_named_with_the_cause(function, more, words):
    result = played(function, **more)
    (alarm,) = result.alarms
    assert alarm.startswith(words)
    page = result._repr_html_()
    assert 'class="tnb-warnings tnb-alarm" role="alert"' in page
    assert page.index("tnb-alarm") < page.index("Compounded return")
    assert alarm in result._repr_mimebundle_()["text/plain"]
    assert f"**{alarm}**" in result.to_markdown()


def test_a_strategy_that_is_never_asked_is_said_to_be():
    spec = tn.strategy("daily", every="1d")(lambda ctx: None)
    result = tn.backtest.run(
        "BTCUSDT", strategy=spec, exchange=exchange(market(3, 300)), progress=False
    )
    assert result.alarms == [
        "strategy 'daily' was never asked: no candle of 1d closes in the period"
    ]
    assert result.why() == "nothing was asked"


def test_one_that_was_refused_or_waits_is_not_silent():
    levels = []

    def asked(ctx):
        entry, stop = levels[-1]
        return tn.long(entry=entry * ctx.price, stop_loss=stop * ctx.price)

    levels.append((0.5, 0.45))
    result = played(asked, risk=[RiskSpec(name="no", function=lambda book, _: "no")])
    assert set(result.events.exit_reason) == {"risk"}
    assert result.alarms == []
    result = played(asked)
    assert result.alarms == []
    assert not len(result.trades)


def wrong_way(ctx):
    return tn.long(stop_loss=2.0 * ctx.price) if ctx.now % 1_800_000 else None


@pytest.mark.parametrize(("function", "count"), [(zero, 16), (wrong_way, 8)])
def test_one_whose_every_candidate_breaks_a_rule_is_named_with_the_first(function, count):
    result = played(function)
    first = result.events.note.iloc[0]
    assert len(result.events) == count
    assert result.alarms == [
        f"strategy 'quiet' broke a rule with each of its {count} candidates; the first: {first}"
    ]


def test_one_that_could_pay_for_nothing_is_named_with_the_first():
    spec = tn.strategy("rich", every="15m")(
        lambda ctx: tn.long(stop_loss=0.9 * ctx.price, size=1e6)
    )
    account = tn.Account(cash=10_000, quote=1_000)
    given = {"exchange": exchange(market(3, 300)), "start": minute(60), "progress": False}
    result = tn.backtest.run("BTCUSDT", strategy=spec, account=account, **given)
    (said,) = result.alarms
    why = "had no money for anything that it proposed; the first: funds | a size of 1000000, which "
    assert said.startswith(f"strategy 'rich' {why}counts in pieces, needs 1.0")
    assert said.endswith("size= is in pieces, quote= of the account in money")


def test_one_candidate_that_keeps_the_rules_is_enough_against_the_alarm():
    def mostly_wrong(ctx):
        return tn.long(stop_loss=(0.9 if ctx.now == minute(240) else 2.0) * ctx.price)

    result = played(mostly_wrong)
    assert (result.events.exit_reason == "invalid").sum() > 5
    assert result.alarms == []
    assert any("broke the rules" in words for words in result.warnings)


def test_printed_with_few_trades_a_result_says_why():
    result = played(wrong_way)
    assert str(result).splitlines() == [repr(result), *result.alarms, result.why()]
    assert result._repr_mimebundle_()["text/plain"] == str(result)
    words = result.to_markdown()
    assert words.index(result.alarms[0]) < words.index(result.why()) < words.index("| count |")


def test_printed_it_has_every_warning_the_errors_first():
    def once_wrong(ctx):
        if ctx.now == minute(75):
            raise ValueError("once")
        return tn.long(stop_loss=0.9 * ctx.price, minutes=1)

    result = played(once_wrong)
    assert len(result.trades) > 10
    assert result.alarms == []
    assert result.warnings[0].startswith("1 error in your functions")
    assert str(result).splitlines() == [repr(result), *result.warnings]
    assert result.why() not in result.to_markdown()


def test_a_strategy_that_fails_at_every_fourth_ask_is_no_alarm():
    def half_wrong(ctx):
        if ctx.when.minute == 30:
            raise ValueError("half")
        return tn.long(stop_loss=0.9 * ctx.price, minutes=1) if ctx.when.minute == 0 else None

    result = played(half_wrong)
    assert len(result.trades) == 3
    assert result.alarms == []  # 4 of 16


def test_at_every_second_ask_it_is_an_alarm_whatever_it_earned():
    def wrong(ctx):
        if ctx.when.minute:
            raise ValueError("often")
        return tn.long(stop_loss=0.9 * ctx.price, minutes=1)

    result = played(wrong)
    (said,) = result.alarms
    assert said.startswith(
        "strategy 'quiet' failed at 12 of its 16 asks, each of which counts as no answer; "
        "the first: ValueError: often"
    )
    assert said in str(result)


def test_a_manage_function_that_always_fails_is_an_alarm():
    spec = tn.strategy("held", every="15m")(lambda ctx: tn.long(stop_loss=0.85 * ctx.price))

    @spec.manage(every="15m")
    def leave(ctx):
        return tn.close() if ctx.position.side == "long" else None

    result = tn.backtest.run(
        "BTCUSDT",
        strategy=spec,
        exchange=exchange(market(3, 300)),
        start=minute(60),
        progress=False,
    )
    (said,) = result.alarms
    assert said.startswith("manage function of 'held' failed at 15 of its 15 asks")
    assert "did you mean 'is_long' or 'is_short' or 'position'?" in said


def test_sizes_that_change_nothing_and_fractions_meant_as_percents_are_warned_of():
    def sized(ctx):
        return tn.long(stop_loss=0.9 * ctx.price, minutes=1, size=2, trail=0.03, breakeven=0.5)

    result = played(sized)
    assert f"size= of {len(result.trades)} trades changes no figure" in str(result)
    opened = (result.events.kind == "opened").sum()
    said = f"trail=0.03 of {opened} positions means 0.03 %; for 3 % write trail=3"
    assert said in result.warnings


@pytest.mark.parametrize("amount", [1.0, 500])
def test_an_add_that_looks_like_money_is_warned_of(amount):
    def grown(ctx):
        if ctx.position is None:
            return tn.long(stop_loss=0.9 * ctx.price)
        return tn.add(amount) if ctx.position.entries == 1 else None

    result = played(grown, manage=True)
    adds = (result.events.kind == "added").sum()
    assert adds > 1
    said = f"amount=500 of {adds} adds means 500 times the cost of the first entry; 1 adds"
    assert (f"{said} as much again" in result.warnings) == (amount == 500)


def test_a_target_of_a_short_that_looks_like_a_percent_is_warned_of():
    def sold(ctx):
        target = 3 if ctx.when.minute else tn.percent(60)
        return tn.short(stop_loss=1.1 * ctx.price, minutes=1, take_profit=target)

    result = played(sold)
    marked = (result.trades.take_profit == 3).sum()
    said = [words for words in result.warnings if "is a price" in words]
    assert 0 < marked < len(result.trades)
    assert said == [f"take_profit=3 of {marked} shorts is a price; for 3 % write tn.percent(3)"]


@pytest.mark.parametrize(
    ("size", "said"),
    [
        ({"percent": 0.25}, ["percent=0.25 of the account means 0.25 % of the equity; for 25 % "]),
        ({"risk": 0.01}, ["risk=0.01 of the account means 0.01 % of the equity; for 1 % write "]),
        ({"max_percent": 0.5, "risk": 1}, ["max_percent=0.5 of the account means 0.5 % of the "]),
        ({"percent": 9, "funding_percent": -1e-4}, ["funding_percent=-0.0001 of the account "]),
        ({"percent": 1, "funding_percent": 0.01}, []),
        ({"risk": 0.1, "max_percent": 1}, []),
        ({"quote": 0.01}, []),
    ],
)
def test_a_share_of_the_equity_that_looks_like_a_fraction_is_warned_of(size, said):
    def bought(ctx):
        return tn.long(stop_loss=0.9 * ctx.price, minutes=1)

    warnings = played(bought, account=tn.Account(cash=10_000, **size)).warnings
    found = [words for words in warnings if "of the account means" in words]
    assert [words[: len(own)] for words, own in zip(found, said, strict=True)] == said


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (
            {"fee_percent": 0.001},
            ["fee_percent=0.001 of the rules means 0.001 % of a fill; for 0.1 % "],
        ),
        (
            {"slippage_percent": 5e-4},
            ["slippage_percent=0.0005 of the rules means 0.0005 % of a fill"],
        ),
        ({"fee_percent": 0.01, "slippage_percent": 0.002}, []),
        ({"fee_percent": 0, "slippage_percent": 0}, []),
    ],
)
def test_a_cost_that_looks_like_a_fraction_is_warned_of(rules, said):
    def bought(ctx):
        return tn.long(stop_loss=0.9 * ctx.price, minutes=1)

    warnings = played(bought, rules=tn.Rules(**rules)).warnings
    found = [words for words in warnings if "of the rules means" in words]
    assert [words[: len(own)] for words, own in zip(found, said, strict=True)] == said


@pytest.mark.parametrize("vectorised", [False, True])
@pytest.mark.parametrize(("entry", "warned"), [(None, True), (0.999, False), (1.1, False)])
def test_a_wait_without_an_entry_to_wait_for_is_warned_of(vectorised, entry, warned):
    def answer(price):
        entered = {} if entry is None else {"entry": entry * price}
        return {"position": "long", "stop_loss": 0.9 * price, "wait": 60, "minutes": 1, **entered}

    if vectorised:
        made = tn.strategy("waits", every="15m", vectorised=True)(lambda df: answer(df.close))
    else:
        made = tn.strategy("waits", every="15m")(lambda ctx: answer(ctx.price))
    result = tn.backtest.run(
        "BTCUSDT", strategy=made, exchange=exchange(market(3, 300)), progress=False
    )
    opened = (result.events.kind == "opened").sum()
    said = (
        f"wait=60 of {opened} positions changes nothing: it is how long an entry is waited for; "
        "pass entry= or breakout=, or leave wait= out"
    )
    assert opened > 1
    assert [each for each in result.warnings if "wait=" in each] == [said] * warned


def test_of_several_the_silent_one_is_named(tmp_path):
    loud = tn.strategy("loud", every="15m")(lambda ctx: tn.long(stop_loss=0.9 * ctx.price))
    silent = tn.strategy("silent", every="15m")(never)
    result = tn.backtest.run(
        "BTCUSDT", strategy=[loud, silent], exchange=exchange(market(3, 300)), progress=False
    )
    (alarm,) = result.alarms
    assert alarm.startswith("strategy 'silent' never proposed anything in ")
    page = result.report(str(tmp_path / "r.html")).read_text()
    assert 'class="warnings alarm" role="alert"' in page


def test_with_few_trades_card_and_page_say_what_the_asks_came_to(tmp_path):
    made = tn.strategy("<b>shy</b>", every="5m")(lambda ctx: None)
    result = tn.backtest.run("BTCUSDT", strategy=made, exchange=exchange(flat(60)), progress=False)
    assert result.why() == "<b>shy</b> was asked 12 times: 12 answers None"
    shown = "&lt;b&gt;shy&lt;/b&gt; was asked 12 times: 12 answers None"
    assert shown in result._repr_html_()
    page = result.report(tmp_path / "report.html").read_text(encoding="utf-8")
    assert shown in page


def ladder(ctx):
    targets = [(tn.percent(1), 0.5), (tn.percent(2), 0.6)]
    return tn.long(stop_loss=tn.percent(2), take_profit=targets)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (
            ladder,
            "16 broke a rule (the fractions of a ladder must lie above 0 and add up to at most",
        ),
        (failing, "16 errors (ZeroDivisionError: float division by zero"),
    ],
)
def test_the_reason_of_what_went_wrong_is_in_the_sentence(function, words):
    assert words in played(function).why()


def test_the_most_frequent_reason_is_shown_and_cut():
    rows = [
        AskRow("entry", "invalid", "once", 0, 0, 1),
        AskRow("entry", "error", "few", 0, 0, 3),
        AskRow("entry", "invalid", "often\nand " + 100 * "-long", 0, 0, 9),
    ]
    words = why_words([("BTCUSDT", "dip", row) for row in rows])
    assert words.startswith("dip was asked 13 times: 10 broke a rule (often and -long-long")
    assert words.endswith("…), 3 errors (few)")
    assert len(words) < 260


def test_the_sentence_says_what_became_of_candidates():
    def asked(ctx):
        far = ctx.now // 900_000 % 2
        return tn.long(
            entry=(0.5 if far else 1.0) * ctx.price,
            stop_loss=(0.45 if far else 0.9) * ctx.price,
            minutes=10,
            wait=10,
        )

    result = played(asked)
    kinds = result.events.kind.value_counts()
    assert kinds["opened"] > 0
    assert kinds["cancelled"] > 0
    became = f"{kinds['opened']} opened, {kinds['cancelled']} unfilled"
    assert result.why() == f"quiet was asked 16 times: 16 candidates ({became})"


def test_the_sentence_says_which_candidates_the_account_did_not_let_in():
    row = AskRow("entry", "candidate", "", 0, 0, 5)
    owner = State("BTCUSDT", "dip", 300_000, 0)
    limits = [event_of(owner, 0, "rejected", exit_reason="limits")] * 5
    # "invalid" and "risk" are answers of their own, not what became of a candidate.
    others = [event_of(owner, 0, "rejected", exit_reason=why) for why in ("invalid", "risk")]
    words = why_words([("BTCUSDT", "dip", row)], limits + others)
    assert words == "dip was asked 5 times: 5 candidates (5 rejected: limits)"


def test_where_manage_asks_open_too_one_count_is_given_for_both():
    def turns(df):
        rows = range(len(df))
        stop = [(0.9 if n % 2 else 1.1) * close for n, close in zip(rows, df.close, strict=True)]
        return {"position": ["long" if n % 2 else "short" for n in rows], "stop_loss": stop}

    result = played(turns, vectorised=True, flip=True)
    entry, manage = result.why().splitlines()
    opened = result.events.kind.value_counts()["opened"]
    assert opened > 2
    assert entry == "quiet was asked 1 time: 1 candidate"
    assert manage.endswith(f" {opened - 1} candidates (with those for an entry: {opened} opened)")


@pytest.mark.parametrize("heard", [False, True])
def test_entries_that_are_cut_to_the_free_money_are_warned_of(heard):
    """The fast way, which nobody may listen to, says the same."""

    def columns(df):
        return {"position": 1, "stop_loss": 0.98 * df.close, "minutes": 60}

    specs = [tn.strategy(f"cut-{n}", every="1h", vectorised=True)(columns) for n in range(3)]
    listener = tn.subscribe(lambda event: None, kinds=["closed"]) if heard else None
    result = tn.backtest.run(
        "BTCUSDT",
        strategy=specs,
        exchange=exchange(market(3, 600)),
        account=tn.Account(cash=1_000, risk=0.8),
        progress=False,
    )
    if listener is not None:
        listener.close()
    (words,) = [each for each in result.warnings if "cut to the money" in each]
    events = result.events.query("kind == 'opened' and strategy == 'cut-2'")
    assert words.startswith(f"{len(events)} entries were cut to the money that was free, to 6")


@pytest.mark.parametrize(
    ("funding", "words"),
    [
        ({"BTCUSD": {DAY: 0.01}}, "BTCUSD has some"),
        ({"BTCUSDT": {-400 * DAY: 0.01}}, "BTCUSDT has some"),
        ({"BTCUSDT": {DAY: 0.01}}, None),
        (None, None),
    ],
)
def test_historic_funding_that_charges_nothing_in_a_run_is_warned_of(funding, words):
    if funding is not None:
        funding = {
            symbol: pd.Series(
                list(own.values()), pd.to_datetime([T0 + at for at in own], unit="ms")
            )
            for symbol, own in funding.items()
        }
    spec = tn.strategy("pays", every="1h")(lambda ctx: tn.long(stop_loss=tn.percent(10)))
    result = tn.backtest.run(
        "BTCUSDT",
        strategy=spec,
        exchange=exchange(flat(3 * 1440)),
        account=tn.Account(cash=1_000, quote=500, funding=funding),
        progress=False,
    )
    found = [each for each in result.warnings if "funding" in each]
    assert (result.stats.funding_paid != 0) == (funding is not None and words is None)
    if words is None:
        assert found == []
    else:
        (said,) = found
        assert said.startswith("funding= of the account charges BTCUSDT nothing from 2024-01-01 ")
        assert said.endswith(words)
