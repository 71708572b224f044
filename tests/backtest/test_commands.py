"""Commands given to a backtest: what they do, for whom, and what is said of bad ones."""

from __future__ import annotations

import pytest

import tradenb as tn
from tests.sources import exchange, flat, minute


def run(*commands, symbols=("BTCUSDT",), names=("dip",), entry=None) -> tn.backtest.Result:
    specs = [
        tn.strategy(name, every="5m")(
            lambda ctx: tn.long(take_profit=102, stop_loss=98, minutes=600, entry=entry)
        )
        for name in names
    ]
    return tn.backtest.run(
        list(symbols),
        strategy=specs,
        exchange=exchange(dict.fromkeys(symbols, flat(20))),
        commands=commands,
        progress=False,
    )


def shown(result: tn.backtest.Result) -> list[tuple[int, str, str, str | None]]:
    return [
        (event.at, f"{event.strategy}:{event.symbol}", event.kind, event.exit_reason)
        for event in result.event_list
    ]


@pytest.mark.parametrize("at", [minute(7), minute(7) + 59_999, "2024-01-01T00:07:30"])
def test_a_flatten_closes_on_the_first_candle_after_it(at):
    assert shown(run({"at": at, "kind": "flatten"})) == [
        (minute(5), "dip:BTCUSDT", "opened", None),
        (minute(8), "dip:BTCUSDT", "closed", "flattened"),
        (minute(10), "dip:BTCUSDT", "opened", None),
    ]


def test_a_stop_follows_the_open_position_and_asks_nobody_any_more():
    stop = {"at": minute(7), "kind": "stop"}
    assert shown(run(stop)) == [(minute(5), "dip:BTCUSDT", "opened", None)]
    result = run(stop, {"at": minute(8), "kind": "flatten"})
    assert shown(result)[1:] == [(minute(9), "dip:BTCUSDT", "closed", "flattened")]


def test_a_stop_before_the_start_lets_nothing_happen():
    assert shown(run({"at": minute(-60), "kind": "stop"})) == []


def test_a_cancel_ends_a_waiting_signal_and_its_id_comes_back():
    cancel = {"at": minute(7), "kind": "cancel", "cancel_id": "button-7"}
    result = run(cancel, entry=99.0)
    assert shown(result) == [
        (minute(5), "dip:BTCUSDT", "scheduled", None),
        (minute(8), "dip:BTCUSDT", "cancelled", "user"),
        (minute(10), "dip:BTCUSDT", "scheduled", None),
    ]
    assert result.event_list[1].note == "button-7"
    other = run({**cancel, "id": "another"}, entry=99.0)
    assert [event.kind for event in other.event_list] == ["scheduled"]
    named = run({**cancel, "id": f"dip-BTCUSDT-{minute(5)}"}, entry=99.0)
    assert named.event_list == result.event_list


@pytest.mark.parametrize(
    ("target", "closed"),
    [
        ({}, ["a:A", "a:B", "b:A", "b:B"]),
        ({"symbol": "A"}, ["a:A", "b:A"]),
        ({"strategy": "b"}, ["b:A", "b:B"]),
        ({"symbol": "B", "strategy": "a"}, ["a:B"]),
        ({"symbol": None, "strategy": None}, ["a:A", "a:B", "b:A", "b:B"]),
    ],
)
def test_a_command_is_for_all_instances_or_for_those_it_names(target, closed):
    flatten = {"at": minute(7), "kind": "flatten", **target}
    events = shown(run(flatten, symbols=("A", "B"), names=("a", "b")))
    assert [who for at, who, kind, _ in events if kind == "closed"] == closed


def test_a_command_may_name_the_strategy_as_an_object_and_the_symbol_in_any_spelling():
    spec = tn.strategy("dip", every="5m")(
        lambda ctx: tn.long(take_profit=102, stop_loss=98, minutes=600)
    )
    result = tn.backtest.run(
        "BTC/USDT",
        strategy=spec,
        exchange=exchange(flat(20)),
        commands=[{"at": minute(1), "kind": "stop", "strategy": spec, "symbol": "BTC/USDT"}],
        progress=False,
    )
    assert result.event_list == []


@pytest.mark.parametrize(
    ("command", "error", "words"),
    [
        ({"kind": "stop"}, tn.UsageError, "at of a command must be ms since the epoch, a datetime"),
        ({"at": "soon", "kind": "stop"}, tn.UsageError, "at of a command must be ISO 8601 like"),
        ({"at": minute(1)}, tn.UnknownName, "unknown command None; did you mean 'move'?"),
        ({"at": minute(1), "kind": "buy"}, tn.UnknownName, "unknown command 'buy'; known: 'canc"),
        (
            {"at": minute(1), "kind": "stop", "when": 1},
            tn.UnknownName,
            "unknown command field 'when'; known: 'at', 'cancel_id', 'fraction', 'id', 'kind', ",
        ),
        (
            {"at": minute(1), "kind": "stop", "symbol": "BTCUSD"},
            tn.UnknownName,
            "unknown symbol of a command 'BTCUSD'; did you mean 'BTCUSDT'?",
        ),
        (
            {"at": minute(1), "kind": "stop", "strategy": "dop"},
            tn.UnknownName,
            "unknown strategy of a command 'dop'; did you mean 'dip'?",
        ),
        ({"at": minute(1), "kind": "stop", "symbol": 5}, tn.UsageError, "symbol must be a string"),
        (
            {"at": minute(1), "kind": "cancel", "id": 5},
            tn.UsageError,
            "id of a command must be a string, was 5",
        ),
        (
            {"at": minute(1), "kind": "cancel", "cancel_id": 7},
            tn.UsageError,
            "cancel_id of a command must be a string, was 7",
        ),
        ("stop", tn.UsageError, 'a command must be a mapping like {"at": "2024-03-01T12:00", '),
        (None, tn.UsageError, "a command must be a mapping like "),
    ],
)
def test_a_bad_command_is_named(command, error, words):
    with pytest.raises(error) as caught:
        run(command)
    assert str(caught.value).startswith(words)


def test_commands_are_a_list():
    for commands in (None, 5, {1, 2}):
        with pytest.raises(tn.UsageError) as caught:
            tn.backtest.run(
                "BTCUSDT",
                strategy=tn.strategy("dip", every="5m")(lambda ctx: None),
                exchange=exchange(flat(3)),
                commands=commands,
            )
        assert str(caught.value) == (
            f"commands must be a command or a list in their order, was {commands!r}"
        )


@pytest.mark.parametrize("every", ["1m", "5m"])
def test_a_managed_position_is_asked_about_behind_what_a_person_does_on_that_candle(every):
    order = []

    def manage(ctx):
        order.append((ctx.now, ctx.position.stop_loss, ctx.position.open))

    made = tn.strategy("both", every="1m")(lambda ctx: tn.long(stop_loss=tn.percent(5)))
    made.manage(every=every)(manage)
    at = minute(9) + 30_000
    names = {"symbol": "S0", "strategy": "both"}
    commands = [
        {"at": at, "kind": "move", "stop_loss": 97.0, **names},
        {"at": at + 1, "kind": "close", "fraction": 0.5, **names},
    ]
    tn.backtest.run("S0", strategy=made, exchange=exchange(flat(20)), commands=commands)
    seen = {now: rest for now, *rest in order}
    assert seen[minute(10)] == [97.0, 0.5]
    assert [rest for now, rest in seen.items() if now < minute(10)] == [[95.0, 1.0]] * (
        8 if every == "1m" else 1
    )
