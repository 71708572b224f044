"""The same faults of an exchange for freqtrade and for tradenb, side by side.

Both enter one position through an unmodified ccxt on an exchange on loopback; the request of the
entry meets a fault. freqtrade is asked again where it knows of no position, and started anew; the
order machine of tradenb goes on until it is at rest. The books of the exchange judge.

    python -m benchmarks.peers.orders [PYTHON] [FAULTS]

PYTHON has freqtrade installed, `.venv-freqtrade/bin/python` if nothing is said.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from tests.order_lives.order_life_world import SYMBOL
from tests.order_lives.order_scenario import OrderScenario, Scenario
from tradenb.clock import SystemClock
from tradenb.core.orders.ledger import held_quantity
from tradenb.core.orders.order_records import DesiredPosition
from tradenb.core.timeframe import MINUTE
from tradenb.testing import ExchangeServer
from tradenb.testing.venue.spot_venue import SpotVenue
from tradenb.testing.venue.venue_faults import LOST, PROXY, REFUSALS, UNSURE, VenueFault
from tradenb.testing.venue.venue_records import STOPS

BOT = Path(__file__).with_name("freqtrade_bot.py")
OWNED = Decimal(3)


class Outcome(NamedTuple):
    """What became of a position: purchases that filled; pieces held, known, and with a stop."""

    purchases: int
    held: float
    known: float
    covered: float

    @property
    def is_unknown(self) -> bool:
        """Whether more is held than is known, but for a fee."""
        return self.held - self.known > self.held / 50

    @property
    def is_bare(self) -> bool:
        """Whether more is held than stops cover, but for a fee."""
        return self.held - self.covered > self.held / 50

    @property
    def text(self) -> str:
        """What is said of it in the table."""
        bought = {0: "not bought", 1: "bought once"}.get(
            self.purchases, f"bought {self.purchases} times"
        )
        known = f", {self.held - self.known:.2f} pieces unknown" if self.is_unknown else ""
        bare = f", {self.held - self.covered:.2f} without a stop" if self.is_bare else ""
        return f"{bought}{known}{bare}"


def faults() -> list[VenueFault]:
    """Return 30 faults of the request of an entry."""
    found = [VenueFault("accept", answer) for answer in (*LOST, *PROXY, *UNSURE)]
    found += [VenueFault("drop", answer) for answer in ("silence", "reset", *UNSURE[:2], *REFUSALS)]
    return [
        *found,
        VenueFault("late", seconds=2.0),
        VenueFault("partial"),
        VenueFault("invisible"),
        VenueFault("status_late"),
    ]


def name_of(fault: VenueFault) -> str:
    return " ".join(filter(None, (fault.kind, fault.answer)))


def of_freqtrade(python: str, fault: VenueFault) -> tuple[Outcome, str]:
    """Play it with freqtrade; return what became of it, and its version."""
    clock = SystemClock()
    start = pd.Timestamp(clock.now() - 600 * MINUTE, unit="ms", tz="UTC").floor("min")
    opens = pd.date_range(start, periods=900, freq="min")
    columns = ("open", "high", "low", "close", "volume")
    candles = pd.DataFrame(dict.fromkeys(columns, 100.0), index=opens)
    balances = {"USDT": 10_000, "BTC": float(OWNED)}
    with (
        ExchangeServer(candles, clock=clock, balances=balances) as server,
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            [Path(python).absolute(), str(BOT), json.dumps(server.options), folder],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True, cwd=folder,
        ) as bot,
    ):  # fmt: skip
        assert bot.stdin is not None
        assert bot.stdout is not None
        said: list[dict[str, Any]] = []
        for line in bot.stdout:
            said.append(json.loads(line))
            if said[-1]["step"] == "ready":
                met = VenueFault(fault.kind, fault.answer, "POST", "order", seconds=fault.seconds)
                server.venue.faults.append(met)
                bot.stdin.write("\n")
                bot.stdin.flush()
        return outcome(server.venue.venue, OWNED, said[-1]["pieces"]), said[0]["version"]


def outcome(venue: SpotVenue, owned: Decimal, known: float) -> Outcome:
    """Read from the books of the exchange what became of a position."""
    bought = sum(each.executed > 0 for each in venue.orders.values() if each.side == "BUY")
    stops = (each.remaining for each in venue.live_orders(SYMBOL) if each.type in STOPS)
    return Outcome(bought, float(venue.total("BTC") - owned), known, float(sum(stops)))


class _Held(OrderScenario):
    """A scenario whose position is held, and entered again while there is none."""

    outcome: Outcome | None = None

    def _decide(self, wanted: DesiredPosition) -> DesiredPosition:
        if self.killed or wanted.want not in ("flat", "hold"):
            return super()._decide(wanted)
        at_rest = all(order.is_done for order in self.doc.ledger.orders)
        if wanted.want == "hold" or self.calm or not at_rest:
            return wanted
        return self._enter(self.now - self.lag)

    def _rest(self, ms: int) -> None:
        if self.outcome is None:
            ledger = self.doc.ledger
            known = sum(held_quantity(ledger, each, self.market) for each in ledger.signals())
            self.outcome = outcome(self.exchange, Decimal(2), float(known))
        super()._rest(ms)


def of_tradenb(fault: VenueFault) -> Outcome:
    """Play it with the order machine of tradenb."""
    life = _Held(Scenario(VenueFault(fault.kind, fault.answer, seconds=fault.seconds), "entry"))
    broken = life.play()
    assert not broken, broken
    assert life.met, fault
    assert life.outcome is not None
    return life.outcome


def main() -> None:
    python = sys.argv[1] if len(sys.argv) > 1 else ".venv-freqtrade/bin/python"
    wanted = int(sys.argv[2]) if len(sys.argv) > 2 else None
    print("| fault of the entry's request | freqtrade | tradenb |\n|---|---|---|")
    rows = []
    for fault in faults()[:wanted]:
        theirs, version = of_freqtrade(python, fault)
        ours = of_tradenb(fault)
        rows.append((theirs, ours))
        print(f"| {name_of(fault)} | {theirs.text} | {ours.text} |", flush=True)
    for name, place in (("freqtrade " + version, 0), ("tradenb", 1)):
        each = [row[place] for row in rows]
        twice = sum(one.purchases > 1 for one in each)
        lost = sum(one.is_unknown for one in each)
        bare = sum(one.is_bare for one in each)
        print(f"\n{name}: {twice} bought more than once, {lost} not known, {bare} without a stop")


if __name__ == "__main__":
    main()
