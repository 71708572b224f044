"""What goes wrong in a user's function is told in the same words in both modes."""

from __future__ import annotations

import asyncio

import pytest

import tradenb as tn
from tests.sources import exchange, flat

RAISED = (
    ValueError("no"),
    RecursionError("deep"),
    KeyboardInterrupt(),
    SystemExit(3),
    GeneratorExit(),
    asyncio.CancelledError(),
    StopIteration(1),
    StopAsyncIteration(),
    BaseException("base"),
)
MODE_ONLY = ["wall", "late", "mode", "seq"]


def both(spec, home):
    """The events of a rehearsal and of a backtest."""
    source = exchange(flat(40))
    run = tn.live.rehearse("BTCUSDT", strategy=spec, exchange=source, speed=None, home=home)
    assert run.wait(240)
    assert run.error is None
    lived = run.events()
    tested = tn.backtest.run("BTCUSDT", strategy=spec, exchange=source, progress=False).events
    return lived.drop(columns=MODE_ONLY), tested.drop(columns=MODE_ONLY)


def candidate(**more):
    return tn.long(take_profit=102.0, stop_loss=98.0, minutes=3, **more)


@pytest.mark.no_cover
@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("who", ["strategy", "async strategy", "risk rule"])
def test_an_error_has_the_same_words_live_and_in_a_backtest(who, error, tmp_path):
    def fails(*given):
        raise error

    async def fails_later(ctx):
        raise error

    rules = [tn.risk("fails")(fails)] if who == "risk rule" else []
    function = {"strategy": fails, "async strategy": fails_later}.get(who, lambda ctx: candidate())
    lived, tested = both(tn.strategy("odd", every="15m", risk=rules)(function), tmp_path)
    assert set(tested.kind) <= {"error", "rejected"}
    assert lived.note.tolist() == tested.note.tolist()
    assert lived.equals(tested)


@pytest.mark.parametrize("id", ["\ud800", "a\ud800b", "line\nbreak", "nul\0", "a/../b", "ü" * 300])
def test_an_odd_id_is_taken_or_refused_alike_and_never_in_the_way_of_a_commit(id, tmp_path):
    spec = tn.strategy("odd", every="15m")(lambda ctx: candidate(id=id))
    lived, tested = both(spec, tmp_path)
    assert len(tested) >= 2
    assert lived.equals(tested)


@pytest.mark.no_cover
@pytest.mark.parametrize("digits", [18, 19, 20, 21, 31, 4_300, 4_301])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_number_is_kept_or_refused_alike_and_never_in_the_way_of_a_commit(sign, digits, tmp_path):
    def counts(ctx):
        before = ctx.state.setdefault("before", 0)
        ctx.state["before"] = before + 1
        ctx.state["number"] = sign * 10 ** (digits - 1)
        return candidate(note=f"asked {before} times before")

    lived, tested = both(tn.strategy("odd", every="15m")(counts), tmp_path)
    assert ("error" in set(tested.kind)) == (digits > 4_300)
    assert lived.equals(tested)
