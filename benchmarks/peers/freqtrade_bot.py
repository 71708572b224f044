"""One position of freqtrade on an exchange on loopback; run by the Python of `.venv-freqtrade`.

    python freqtrade_bot.py OPTIONS FOLDER

OPTIONS are those of the server, as JSON. It asks for an entry, works on for some turns, asks again
if it has none, is started anew, and says after each what it knows.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import warnings
from pathlib import Path
from typing import Any

from freqtrade import __version__
from freqtrade.configuration import Configuration
from freqtrade.enums import RunMode
from freqtrade.exceptions import FreqtradeException
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.persistence import Trade

PAIR, STAKE, TURNS = "BTC/USDT", 200.0, 2
STRATEGY = """
from freqtrade.strategy import IStrategy

class Once(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "5m"
    stoploss = -0.05
    minimal_roi = {"0": 10}
    startup_candle_count = 0
    order_types = {
        "entry": "limit", "exit": "market", "stoploss": "limit", "stoploss_on_exchange": True
    }

    def populate_indicators(self, frame, metadata):
        return frame

    def populate_entry_trend(self, frame, metadata):
        frame["enter_long"] = 0
        return frame

    def populate_exit_trend(self, frame, metadata):
        frame["exit_long"] = 0
        return frame
"""


def bot(served: dict[str, Any], folder: Path) -> FreqtradeBot:
    """Return a bot with the trades of its folder; each takes the keys out of its configuration."""
    client = {"urls": served["urls"], "options": served["options"], "enableRateLimit": False}
    prices = {"price_side": "other", "use_order_book": True, "order_book_top": 1}
    settings = {
        "max_open_trades": 3, "stake_currency": "USDT", "stake_amount": STAKE, "dry_run": False,
        "trading_mode": "spot", "margin_mode": "", "fiat_display_currency": "",
        "unfilledtimeout": {"entry": 10, "exit": 10, "unit": "minutes"},
        "entry_pricing": prices, "exit_pricing": prices,
        "exchange": {
            "name": "binance", "key": "loopback-key", "secret": "loopback-secret",
            "ccxt_config": client, "ccxt_async_config": client, "enable_ws": False,
            "pair_whitelist": [PAIR], "pair_blacklist": [],
        },
        "pairlists": [{"method": "StaticPairList"}], "strategy": "Once",
        "strategy_path": str(folder), "user_data_dir": str(folder), "bot_name": "peer",
        "db_url": f"sqlite:///{folder}/trades.sqlite", "initial_state": "running",
        "internals": {"process_throttle_secs": 1},
    }  # fmt: skip
    file = folder / "config.json"
    file.write_text(json.dumps(settings), encoding="utf-8")
    arguments = {"config": [str(file)], "strategy_path": str(folder), "db_url": settings["db_url"]}
    config = Configuration(arguments, RunMode.LIVE).get_config()
    made = FreqtradeBot(config)
    made.startup()
    return made


def ask(made: FreqtradeBot) -> None:
    """Let the strategy want a position, where there is none."""
    if not Trade.get_open_trades():
        tried(lambda: made.execute_entry(PAIR, STAKE))


def work(made: FreqtradeBot) -> None:
    for _ in range(TURNS):
        tried(made.process)


def tried(act: Any) -> None:
    try:
        act()
    except FreqtradeException as error:  # as its own loop does: logged, and the next turn comes
        logging.getLogger("peer").error("%r", error)


def say(step: str) -> None:
    pieces = sum(trade.amount for trade in Trade.get_open_trades() if trade.has_open_position)
    stops = sum(trade.has_open_sl_orders for trade in Trade.get_open_trades())
    print(json.dumps({"step": step, "pieces": pieces, "stops": stops}), flush=True)


def main(served: dict[str, Any], folder: Path) -> None:
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    (folder / "once.py").write_text(STRATEGY, encoding="utf-8")
    made = bot(served, folder)
    print(json.dumps({"step": "ready", "version": __version__}), flush=True)
    sys.stdin.readline()
    ask(made)
    work(made)
    say("asked")
    ask(made)
    work(made)
    say("asked again")
    work(bot(served, folder))
    say("started anew")
    os._exit(0)  # its threads wait for the network


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), Path(sys.argv[2]))
