"""The signatures of public functions, as Shift-Tab shows them: every parameter says its type."""

from __future__ import annotations

import inspect

import pytest

import tradenb as tn

ANYTHING = {
    "tn.broker options": "those of ccxt",
    "tn.ccxt_exchange options": "each exchange of ccxt has options of its own",
    "tn.testing.ExchangeServer.fault more": "each fault has settings of its own",
    "tn.testing.ExchangeServer.trouble more": "each trouble has settings of its own",
    "tn.testing.InlineWorkers.call args": "they are handed to any function",
}
"""Parameters that may be of any type, and why."""


def public(prefix="tn", package=tn):
    """Yield the name and the value of each public function, class and method."""
    for name in package.__all__:
        found, path = getattr(package, name), f"{prefix}.{name}"
        if inspect.ismodule(found):
            yield from public(path, found)
        elif inspect.isclass(found) and not issubclass(found, Exception):
            yield path, found
            for method, function in vars(found).items():
                if inspect.isfunction(function) and not method.startswith("_"):
                    yield f"{path}.{method}", function
        elif inspect.isfunction(found):
            yield path, found


def parameters():
    for path, found in public():
        for name, parameter in inspect.signature(found).parameters.items():
            if name != "self":
                yield f"{path} {name}", parameter.annotation


def test_every_parameter_of_a_public_function_says_its_type():
    seen = dict(parameters())
    assert len(seen) > 200
    assert [name for name, kind in seen.items() if kind is inspect.Parameter.empty] == []
    assert {name for name, kind in seen.items() if str(kind) == "Any"} == set(ANYTHING)


RUN = """(symbols: str | Iterable[str], *,
strategy: StrategySpec | str | Iterable[StrategySpec | str], exchange: CandleSource | str,
start: TimeLike | None = None, end: TimeLike | None = None, rules: Rules | None = None,
account: Account | Mapping[str, Account] | None = None,
commands: Iterable[Mapping[str, object]] = (), on_error: Literal['record', 'raise'] = 'record',
progress: bool = True) -> Result"""
FOLLOW = """(symbol: str, *, strategy: StrategySpec | str, exchange: LiveSource | str,
rules: Rules | None = None, account: Account | None = None,
broker: Broker | None = None, home: str | Path | None = None) -> Following"""
STOP = "(symbol: str, strategy: StrategySpec | str) -> None"
SHORT = """(*, stop_loss: Price, take_profit: Price | Ladder | None = None,
minutes: int | None = None, until: TimeLike | None = None, entry: float | None = None,
breakout: float | None = None, wait: int | None = None, trail: float | None = None,
trail_distance: float | None = None, trail_after: float | None = None,
breakeven: float | None = None, breakeven_plus: float | None = None, id: str | None = None,
note: str | None = None, size: float | None = None) -> Candidate"""


@pytest.mark.parametrize(
    ("function", "shown"),
    [(tn.backtest.run, RUN), (tn.live.run, FOLLOW), (tn.live.stop, STOP), (tn.short, SHORT)],
)
def test_a_signature_shows_its_types_without_quotes(function, shown):
    assert str(inspect.signature(function)) == shown.replace("\n", " ")


def test_no_signature_of_a_public_function_shows_a_quoted_type():
    functions = {path: found for path, found in public() if inspect.isfunction(found)}
    shown = {
        path: str(inspect.signature(found))
        for path, found in functions.items()
        if "." not in found.__qualname__
    }
    assert len(shown) > 30
    assert [path for path, signature in shown.items() if ": '" in signature] == []
