"""`Parity`: what `tn.parity` returns, and how it shows itself."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from tradenb.core.timeframe import iso
from tradenb.research.parity.execution_cost import EXECUTION_CAUSES, ExecutedTrade
from tradenb.research.parity.ledger_check import LedgerCheck
from tradenb.research.parity.replay import ComparedTrade
from tradenb.research.parity.replay_check import ReplayCheck
from tradenb.view.formatting import plural

if TYPE_CHECKING:
    import pandas as pd

_SHOWN: Final = 20
"""So many rows of what execution cost are shown in a cell."""
Verdict = Literal["clean", "differs", "nothing to compare"]
CAUSES: Final = (
    "indicator window", "candle missing", "candle revised", "late tick", "late exit",
    "user action", "error", "refused by risk", "rules changed", "code changed", "unexplained",
)  # fmt: skip


class Difference(NamedTuple):
    """Trades of the live run that the backtest does not have, and the reverse.

    Attributes
    ----------
    at : int
        When the first of them was opened, ms UTC.
    cause : str
        One of `CAUSES`.
    live, backtest : tuple of ComparedTrade
        Trades until both are in step again.
    what : str
        Names of the rules, or of the functions and values, that have changed.
    """

    at: int
    cause: str
    live: tuple[ComparedTrade, ...]
    backtest: tuple[ComparedTrade, ...]
    what: str = ""


@dataclass(frozen=True)
class Parity:
    """A live run beside the backtest of its period.

    Attributes
    ----------
    found : list of Difference
        In order of time.
    live, backtest : list of ComparedTrade
        All trades of both.
    notes : list of str
        What could not be known.
    replay : ReplayCheck or None
        Of a run that sends orders: its events beside those of a replay with what the exchange
        reported. They should be equal to the last digit.
    executed : list of ExecutedTrade or None
        Of such a run: its trades beside those of its paper twin, which candles fill.
    ledger : LedgerCheck or None
        Of such a run: its orders against the trades and the balance of the exchange.
    """

    run: str
    found: list[Difference]
    live: list[ComparedTrade]
    backtest: list[ComparedTrade]
    notes: list[str] = field(default_factory=list)
    replay: ReplayCheck | None = None
    executed: list[ExecutedTrade] | None = None
    ledger: LedgerCheck | None = None

    @property
    def clean(self) -> bool:
        """Whether the run traded and nothing differs; see `verdict`."""
        return self.verdict == "clean"

    @property
    def verdict(self) -> Verdict:
        """Say "clean", "differs", or "nothing to compare" where nothing was filled live.

        What execution cost is no difference: it is in `executed`.
        """
        sides = (
            self.replay is None or self.replay.equal,
            self.ledger is None or self.ledger.agrees,
        )
        if self.found or not all(sides):
            return "differs"
        return "clean" if self.live else "nothing to compare"

    @property
    def causes(self) -> dict[str, int]:
        """How many differences each cause has made."""
        named = [difference.cause for difference in self.found]
        return {cause: named.count(cause) for cause in CAUSES if cause in named}

    @property
    def table(self) -> pd.DataFrame:
        """One row a difference: at, cause, trades and sum of pnl_percent of each side, what."""
        import pandas as pd

        rows = [
            (item.at, item.cause, len(item.live), len(item.backtest), _sum(item.live),
             _sum(item.backtest), item.what)
            for item in self.found
        ]  # fmt: skip
        columns = ["at", "cause", "live", "backtest", "live_pnl", "backtest_pnl", "what"]
        frame = pd.DataFrame(rows, columns=columns)
        frame["at"] = pd.to_datetime(frame["at"].astype("int64"), unit="ms", utc=True)
        return frame.astype({"at": "datetime64[ms, UTC]"})

    @property
    def execution_causes(self) -> dict[str, int]:
        """How many trades each cause has made another than on paper."""
        named = [cause for trade in self.executed or () for cause in trade.causes]
        return {cause: named.count(cause) for cause in EXECUTION_CAUSES if cause in named}

    @property
    def execution_table(self) -> pd.DataFrame:
        """One row a signal that was to be entered: see `ExecutedTrade`; costs in basis points."""
        import pandas as pd

        trades = self.executed or ()
        rows = [{**each._asdict(), "cost_bp": each.cost_bp} for each in trades]
        frame = pd.DataFrame(rows, columns=[*ExecutedTrade._fields, "cost_bp"])
        frame["causes"] = [", ".join(each.causes) for each in trades]
        frame["at"] = pd.to_datetime(frame["at"].astype("int64"), unit="ms", utc=True)
        numbers = dict.fromkeys(frame.columns[4:], "float64")
        texts = dict.fromkeys(("signal_id", "causes", "what"), "str")
        return frame.astype({"at": "datetime64[ms, UTC]", **texts, **numbers})

    def __repr__(self) -> str:
        return "\n".join(self._lines())

    def _repr_html_(self) -> str:
        lines = "".join(f"<div>{html.escape(line)}</div>" for line in self._lines())
        if not self.executed:
            return lines
        shown = self.execution_table.tail(_SHOWN).drop(columns="signal_id")
        points, percent = ("entry_bp", "exit_bp", "fee_bp", "cost_bp"), ("pnl_paper", "pnl_live")
        signed = dict.fromkeys(points, "{:+.1f}") | dict.fromkeys(percent, "{:+.2f} %")
        for name, form in signed.items():
            shown[name] = shown[name].map(form.format, na_action="ignore")
        shown["at"] = shown["at"].dt.strftime("%Y-%m-%d %H:%M")
        table = shown.to_html(
            index=False, border=0, na_rep="", float_format="{:g}".format, justify="left"
        )
        left = len(self.executed) - len(shown)
        more = f"<div>{left:,} earlier ones are in execution_table</div>" if left else ""
        return f'{lines}{more}<div style="overflow-x:auto;white-space:nowrap">{table}</div>'

    def _lines(self) -> Iterator[str]:
        both = f"{plural(len(self.live), 'trade')} live, {len(self.backtest)} in the backtest"
        if self.verdict == "nothing to compare":
            why = "no trade on either side"
            if self.backtest:
                why = f"no trade of {len(self.backtest)} in the backtest was filled live"
            yield f"{self.run}: nothing to compare, {why}"
        elif self.clean:
            but = "" if self.executed is None else " but for what execution cost"
            yield f"{self.run}: live and backtest agree{but} ({both})"
        elif self.found:
            yield f"{self.run}: {plural(len(self.found), 'difference')} ({both})"
        else:
            yield f"{self.run}: live and its orders do not agree ({both})"
        for item in self.found:
            what = f" ({item.what})" if item.what else ""
            yield (
                f"  {iso(item.at)} {item.cause}{what}: {_words(item.live)} live, "
                f"{_words(item.backtest)} in the backtest"
            )
        if self.replay is not None:
            yield f"  {self.replay}"
        if self.executed is not None:
            yield f"  {self._words_of_execution(self.executed)}"
        if self.ledger is not None:
            yield f"  {self.ledger}"
        yield from (f"  note: {words}" for words in self.notes)

    def _words_of_execution(self, executed: list[ExecutedTrade]) -> str:
        """Say what execution cost a trade, on average over those that both sides closed."""
        if not executed:
            return "execution: nothing was to be entered"
        closed = [each for each in executed if each.cost_bp is not None]
        parts = {"": "cost_bp", "entry ": "entry_bp", "exit ": "exit_bp", "fees ": "fee_bp"}
        means = [f"{what}{_mean(getattr(each, name) for each in closed):+.1f}"
                 for what, name in parts.items()]  # fmt: skip
        words = f"execution: {plural(len(executed), 'signal')}"
        if closed:
            rest = _mean(each.cost_bp for each in closed) - sum(
                _mean(getattr(each, name) for each in closed)
                for name in ("entry_bp", "exit_bp", "fee_bp")
            )
            means.append(f"slippage assumed on paper {-rest:.1f}")
            cost = f"{means[0]} bp a trade against paper ({', '.join(means[1:])})"
            words += f", {len(closed)} closed on both sides: {cost}"
        causes = ", ".join(f"{name} {count}" for name, count in self.execution_causes.items())
        return f"{words}; {causes}" if causes else words


def _mean(values: Iterable[float | None]) -> float:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else 0.0


def _sum(trades: tuple[ComparedTrade, ...]) -> float:
    total = 0.0
    for trade in trades:
        total += trade.pnl_percent or 0.0
    return total


def _words(trades: tuple[ComparedTrade, ...]) -> str:
    if len(trades) != 1:
        return plural(len(trades), "trade")
    trade = trades[0]
    end = "open" if trade.exit is None else f"{trade.exit_reason} at {trade.exit:g}"
    return f"{trade.position} at {trade.entry:g}, {end}"
