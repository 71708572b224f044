"""tradenb: a trading strategy from research to live without leaving the notebook.

The public names, each imported when it is first used: `import tradenb` itself loads no numpy,
pandas, pydantic or exchange.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from tradenb import errors as errors
from tradenb.errors import *  # noqa: F403 - each is a public name of this package, too

if TYPE_CHECKING:
    from tradenb import backtest as backtest
    from tradenb import live as live
    from tradenb import research as research
    from tradenb import testing as testing
    from tradenb.backtest import Result as Result
    from tradenb.backtest.results.result import load as load
    from tradenb.brokers.arming.api import arm as arm
    from tradenb.brokers.arming.api import disarm as disarm
    from tradenb.brokers.broker import Broker as Broker
    from tradenb.brokers.broker import broker as broker
    from tradenb.bus import subscribe as subscribe
    from tradenb.core.actions import add as add
    from tradenb.core.actions import breakeven as breakeven
    from tradenb.core.actions import cancel as cancel
    from tradenb.core.actions import close as close
    from tradenb.core.actions import move as move
    from tradenb.core.candidate import Candidate as Candidate
    from tradenb.core.candidate import long as long
    from tradenb.core.candidate import short as short
    from tradenb.core.events import Event as Event
    from tradenb.core.money.account import Account as Account
    from tradenb.core.money.market import Market as Market
    from tradenb.core.offsets import bracket as bracket
    from tradenb.core.offsets import distance as distance
    from tradenb.core.offsets import percent as percent
    from tradenb.core.rules import Rules as Rules
    from tradenb.core.signal import Trade as Trade
    from tradenb.core.timeframe import TimeLike as TimeLike
    from tradenb.engine.context import Context as Context
    from tradenb.engine.position_view import Position as Position
    from tradenb.engine.specs import risks as risks
    from tradenb.engine.specs.decorators import Strategy as Strategy
    from tradenb.engine.specs.decorators import risk as risk
    from tradenb.engine.specs.decorators import strategy as strategy
    from tradenb.exchanges.candles_function import candles as candles
    from tradenb.exchanges.ccxt.ccxt_factory import ccxt_exchange as ccxt_exchange
    from tradenb.exchanges.function_source import exchange as exchange
    from tradenb.exchanges.tables.file_source import file_exchange as file_exchange
    from tradenb.exchanges.tables.frame_source import frame_exchange as frame_exchange
    from tradenb.exporting import export as export
    from tradenb.live import LiveRun as LiveRun
    from tradenb.live.notifications.api import notify as notify
    from tradenb.nested import allow_nested as allow_nested
    from tradenb.panel.dashboard import dashboard as dashboard
    from tradenb.research.lookahead.api import lookahead as lookahead
    from tradenb.research.parity.api import parity as parity
    from tradenb.research.sweep.api import sweep as sweep
    from tradenb.research.sweep.compare import compare as compare
    from tradenb.research.sweep.single_trial import trial as trial
    from tradenb.research.sweep.walk_forward import walk_forward as walk_forward
    from tradenb.sizing import size_atr as size_atr
    from tradenb.sizing import size_fixed as size_fixed
    from tradenb.sizing import size_kelly as size_kelly
    from tradenb.statistics.stats_tables import stats as stats

__version__ = "0.1.0"

_HOMES: Final[dict[str, str]] = {
    "Account": "tradenb.core.money.account",
    "Broker": "tradenb.brokers.broker",
    "Candidate": "tradenb.core.candidate",
    "Context": "tradenb.engine.context",
    "Event": "tradenb.core.events",
    "LiveRun": "tradenb.live",
    "Market": "tradenb.core.money.market",
    "Position": "tradenb.engine.position_view",
    "Result": "tradenb.backtest",
    "Rules": "tradenb.core.rules",
    "Strategy": "tradenb.engine.specs.decorators",
    "TimeLike": "tradenb.core.timeframe",
    "Trade": "tradenb.core.signal",
    "add": "tradenb.core.actions",
    "allow_nested": "tradenb.nested",
    "arm": "tradenb.brokers.arming.api",
    "bracket": "tradenb.core.offsets",
    "breakeven": "tradenb.core.actions",
    "broker": "tradenb.brokers.broker",
    "cancel": "tradenb.core.actions",
    "candles": "tradenb.exchanges.candles_function",
    "ccxt_exchange": "tradenb.exchanges.ccxt.ccxt_factory",
    "close": "tradenb.core.actions",
    "compare": "tradenb.research.sweep.compare",
    "dashboard": "tradenb.panel.dashboard",
    "disarm": "tradenb.brokers.arming.api",
    "distance": "tradenb.core.offsets",
    "exchange": "tradenb.exchanges.function_source",
    "export": "tradenb.exporting",
    "file_exchange": "tradenb.exchanges.tables.file_source",
    "frame_exchange": "tradenb.exchanges.tables.frame_source",
    "load": "tradenb.backtest.results.result",
    "long": "tradenb.core.candidate",
    "lookahead": "tradenb.research.lookahead.api",
    "move": "tradenb.core.actions",
    "notify": "tradenb.live.notifications.api",
    "parity": "tradenb.research.parity.api",
    "percent": "tradenb.core.offsets",
    "risk": "tradenb.engine.specs.decorators",
    "short": "tradenb.core.candidate",
    "size_atr": "tradenb.sizing",
    "size_fixed": "tradenb.sizing",
    "size_kelly": "tradenb.sizing",
    "stats": "tradenb.statistics.stats_tables",
    "strategy": "tradenb.engine.specs.decorators",
    "subscribe": "tradenb.bus",
    "sweep": "tradenb.research.sweep.api",
    "trial": "tradenb.research.sweep.single_trial",
    "walk_forward": "tradenb.research.sweep.walk_forward",
}
_MODULES: Final = {
    "backtest": "tradenb.backtest",
    "live": "tradenb.live",
    "research": "tradenb.research",
    "risks": "tradenb.engine.specs.risks",
    "testing": "tradenb.testing",
}

__all__ = [  # noqa: PLE0604 - made of the tables
    "__version__", "errors", *errors.__all__, *sorted(_HOMES), *sorted(_MODULES),
]  # fmt: skip


if not TYPE_CHECKING:  # pragma: no branch - else every name would pass for one

    def __getattr__(name: str) -> Any:
        if name in _HOMES:
            found = getattr(import_module(_HOMES[name]), name)
        elif name in _MODULES:
            found = import_module(_MODULES[name])
        else:
            near = errors.near(name, __all__)
            raise AttributeError(f"module 'tradenb' has no attribute {name!r}{near}")
        globals()[name] = found
        if name == "candles":
            import_module("pandas")  # its frames have `.tradenb` then
        _tell_pandas()
        return found


def _tell_pandas() -> None:
    """Give frames `.tradenb`, once pandas is loaded."""
    if "pandas" in sys.modules:
        import_module("tradenb.frame_accessor").register()


_tell_pandas()


def __dir__() -> list[str]:
    return sorted(__all__)
