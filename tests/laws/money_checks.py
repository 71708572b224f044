"""The laws of an account as plain functions: a scenario in, what is broken out."""

from __future__ import annotations

import math
from random import Random
from typing import Any

from tests.laws.generators import close_times, with_noise_after
from tests.scenarios import on_tradenb

FEW = 1e-9


def fills_broken(scenario: dict[str, Any]) -> list[str]:
    """Cash and pieces, booked from the fills alone, give the same money.

    An entry pays for pieces, an exit is paid for them; a short the other way round.
    """
    played = on_tradenb(scenario)
    if played.refused:
        return []
    result = played.result
    entries = result.asks[result.asks["asked"] == "entry"]
    if set(entries["outcome"]) - {"skipped"} == {"error"}:  # such a run says nothing of money
        money = {name: result.figures[name] for name in ("final_equity", "fees_paid", "turnover")}
        return [f"{name} of a failed run is {own}" for name, own in money.items() if own == own]
    cash, pieces = scenario["account"]["cash"], {}
    for fill in result.fills.itertuples():
        sign = 1 if fill.side == "buy" else -1
        cash -= sign * fill.quantity * fill.paid + fill.fee
        key = fill.symbol, fill.strategy
        pieces[key] = pieces.get(key, 0.0) + sign * fill.quantity
        if fill.kind == "exit" and abs(pieces[key]) > FEW * fill.quantity:
            return [f"{pieces[key]} pieces of {key} are left after {fill.at}"]
    cash -= result.figures["funding_paid"]
    open_rows = {(row.symbol, row.strategy): row.price for row in result.open.itertuples()}
    worth = sum(count * open_rows[key] for key, count in pieces.items() if key in open_rows)
    found = []
    if result.ruined_at is None:
        found += far("final_equity", result.figures["final_equity"], cash + worth)
    earned = sum(trade.pnl for trade in result.trade_list)
    if not result.open["state"].eq("open").any():
        found += far("balance", result.balance, scenario["account"]["cash"] + earned)
    fees = float(result.fills["fee"].sum())
    turnover = float((result.fills["quantity"] * result.fills["paid"]).sum())
    found += far("fees_paid", result.figures["fees_paid"], fees)
    found += far("turnover", result.figures["turnover"], turnover)
    steps = scenario.get("market", {})
    for fill in result.fills.itertuples():
        step = steps.get(fill.symbol, {}).get("size_step")
        if step and abs(fill.quantity / step - round(fill.quantity / step)) > FEW:
            found.append(f"{fill.quantity} pieces are not on the step {step}")
    return found[:3]


def future_broken(scenario: dict[str, Any], random: Random) -> list[str]:
    """Law 5: other candles after a moment change no fill up to it, nor its pieces."""
    times = close_times(scenario)
    if not times:
        return []
    at = random.choice(times)
    plain, noisy = on_tradenb(scenario), on_tradenb(with_noise_after(scenario, at, random))
    if plain.refused or noisy.refused:
        return []
    known = [
        [(e.seq, e.kind, e.quantity) for e in played.result.event_list if e.at <= at]
        for played in (plain, noisy)
    ]
    return [] if known[0] == known[1] else [f"fills up to {at}: {known[1]} are not {known[0]}"]


def far(name: str, found: float, wanted: float) -> list[str]:
    """Say so where two sums differ by more than the order of their terms."""
    near = math.isclose(found, wanted, rel_tol=1e-9, abs_tol=1e-6)
    return [] if near else [f"{name} {found} is not {wanted}"]
