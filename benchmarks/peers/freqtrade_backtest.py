"""Run freqtrade's side of its page of docs/coming_from, print its trades as JSON.

    python freqtrade_backtest.py freqtrade CODE CANDLES

Run by the Python of `.venv-freqtrade`. Shorts want futures there, so its exchange is a market of
futures with one pair and no funding, written down here: nothing comes from a network. An hour that
decides is named by its open, and its order is filled at the next one: at our close.
"""

from __future__ import annotations

import json
import logging
import sys
import warnings
from pathlib import Path
from typing import Any

import pandas as pd
from freqtrade import __version__
from freqtrade.configuration import Configuration
from freqtrade.data.history import get_datahandler
from freqtrade.enums import CandleType, RunMode
from freqtrade.exchange.binance import Binance
from freqtrade.optimize.backtesting import Backtesting

PAIR = "BTC/USDT:USDT"
ANY = {"min": None, "max": None}
MARKET = {
    "id": "BTCUSDT", "symbol": PAIR, "base": "BTC", "quote": "USDT", "settle": "USDT",
    "active": True, "type": "swap", "spot": False, "margin": False, "swap": True, "future": False,
    "option": False, "contract": True, "linear": True, "inverse": False, "contractSize": 1.0,
    "taker": 0.0005, "maker": 0.0002, "precision": {"amount": 0.001, "price": 0.1},
    "limits": {"amount": ANY, "price": ANY, "cost": ANY, "leverage": ANY}, "info": {},
}  # fmt: skip
TIER = {
    "minNotional": 0, "maxNotional": 1e9, "maintenanceMarginRate": 0.004, "maxLeverage": 125,
    "maintAmt": 0.0,
}  # fmt: skip


def configured(folder: Path) -> dict[str, Any]:
    """Return the settings of a backtest with the strategy of a folder."""
    prices = {"price_side": "same", "use_order_book": True, "order_book_top": 1}
    settings = {
        "max_open_trades": 1, "stake_currency": "USDT", "stake_amount": 1000, "dry_run": True,
        "dry_run_wallet": 100_000, "trading_mode": "futures", "margin_mode": "isolated",
        "entry_pricing": prices, "exit_pricing": prices, "fee": 0.001,
        "exchange": {"name": "binance", "pair_whitelist": [PAIR], "pair_blacklist": []},
        "pairlists": [{"method": "StaticPairList"}], "strategy": "Cross",
        "strategy_path": str(folder), "user_data_dir": str(folder), "datadir": str(folder / "data"),
    }  # fmt: skip
    file = folder / "config.json"
    file.write_text(json.dumps(settings), encoding="utf-8")
    given = {"config": [str(file)], "strategy_path": str(folder), "user_data_dir": str(folder)}
    given["datadir"] = settings["datadir"]
    return Configuration(given, RunMode.BACKTEST).get_config()


def stored(hours: pd.DataFrame, folder: Path) -> None:
    """Write the candles where freqtrade looks for them: its hours, as its marks, and no funding."""
    frame = hours.reset_index().rename(columns={"time": "date"})
    frame["date"] = frame.date.dt.as_unit("ms")
    (folder / "futures").mkdir(parents=True)
    handler = get_datahandler(folder, "feather")
    for kind, candles in (
        (CandleType.FUTURES, frame),
        (CandleType.MARK, frame),
        (CandleType.FUNDING_RATE, frame[["date"]].assign(funding_rate=0.0)),
    ):
        handler.ohlcv_store(PAIR, "1h", candles, kind)


def trades(folder: Path) -> pd.DataFrame:
    config = configured(folder)
    exchange = Binance(config, validate=False)
    exchange._markets = {PAIR: MARKET}
    exchange._leverage_tiers = {PAIR: [TIER]}
    made = Backtesting(config, exchange)
    made.backtest_one_strategy(made.strategylist[0], *made.load_bt_data())
    found = made.all_bt_content["Cross"]["results"]
    return found[found.exit_reason != "force_exit"]


def main(_tool: str, code: str, candles: str) -> None:
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    folder = Path(code).parent
    (folder / "cross.py").write_text(Path(code).read_text("utf-8"), encoding="utf-8")
    stored(pd.read_csv(candles, index_col="time", parse_dates=["time"]), folder / "data")
    rows = [
        (
            *(at.tz_localize(None).isoformat() for at in (row.open_date, row.close_date)),
            "short" if row.is_short else "long",
            row.open_rate,
            row.close_rate,
        )
        for row in trades(folder).itertuples()
    ]
    print(json.dumps({"version": __version__, "trades": rows}))


if __name__ == "__main__":
    main(*sys.argv[1:])
