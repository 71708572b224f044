"""Work W in nautilus_trader: called at each 1m bar, a bracket of orders for each position."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import nautilus_trader
import pandas as pd
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig
from nautilus_trader.model.currencies import USDT
from nautilus_trader.model.data import BarType
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide, OrderType
from nautilus_trader.model.identifiers import Venue
from nautilus_trader.model.objects import Money
from nautilus_trader.persistence.wranglers import BarDataWrangler
from nautilus_trader.test_kit.providers import TestInstrumentProvider
from nautilus_trader.trading.strategy import Strategy

from benchmarks.peers.same_work import DAY, Candles, enters, report

MARKET = TestInstrumentProvider.btcusdt_perp_binance()
KIND = BarType.from_str(f"{MARKET.id}-1-MINUTE-LAST-EXTERNAL")
SIZE = Decimal("0.01")


class Crossing(Strategy):
    """The strategy of work W."""

    def __init__(self, wanted: Any) -> None:
        super().__init__()
        self.wanted, self.now, self.since = wanted, -1, 0

    def on_start(self) -> None:
        """Ask for the bars."""
        self.subscribe_bars(KIND)

    def on_bar(self, bar: Any) -> None:
        """Enter, or leave after a day."""
        self.now += 1
        flat = self.portfolio.is_flat(MARKET.id)
        if not flat and self.now - self.since >= DAY:
            self.cancel_all_orders(MARKET.id)
            self.close_all_positions(MARKET.id)
        elif flat and self.wanted[self.now]:
            self.since, price = self.now, float(bar.close)
            self.submit_order_list(
                self.order_factory.bracket(
                    instrument_id=MARKET.id,
                    order_side=OrderSide.BUY,
                    quantity=MARKET.make_qty(SIZE),
                    sl_trigger_price=MARKET.make_price(0.99 * price),
                    tp_price=MARKET.make_price(1.01 * price),
                    entry_order_type=OrderType.MARKET,
                )
            )


def run(candles: Candles) -> int:
    """Return the number of trades; making the bars is counted."""
    engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
    venue = Venue("BINANCE")
    cash = [Money(100_000, USDT)]
    engine.add_venue(venue, OmsType.NETTING, AccountType.MARGIN, starting_balances=cash)
    engine.add_instrument(MARKET)
    names = ("open", "high", "low", "close", "volume")
    closes = pd.to_datetime(candles.time + 60_000, unit="ms", utc=True)
    frame = pd.DataFrame(dict(zip(names, candles[1:], strict=True)), index=closes)
    engine.add_data(BarDataWrangler(KIND, MARKET).process(frame))
    engine.add_strategy(Crossing(enters(candles.close)))
    engine.run()
    trades = engine.cache.positions_total_count() + len(engine.cache.position_snapshots())
    engine.dispose()
    return int(trades)


if __name__ == "__main__":
    report(nautilus_trader.__version__, run, "called, signals as an array, brackets of orders")
