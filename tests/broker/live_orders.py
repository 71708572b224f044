"""A simulated world whose runs send orders to a venue in memory."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import tradenb as tn
from tradenb.broker.arming.arm_file import write_arm
from tradenb.broker.broker import Broker
from tradenb.core.orders.client_ids import is_ours, role_of
from tradenb.core.orders.gate import Arm
from tradenb.core.rules import Rules
from tradenb.testing.orders.venue_connection import VenueConnection
from tradenb.testing.server.price_feed import PriceFeed
from tradenb.testing.server.server_candles import rows_of_all
from tradenb.testing.venue.faulty_venue import FaultyVenue
from tradenb.testing.venue.spot_venue import SpotVenue
from tradenb.testing.venue.venue_records import VenueMarket
from tradenb.testing.world.simulated_world import World

SYMBOL = "BTCUSDT"
ACCOUNT = "sandbox:memory:00000000"
DAY = 86_400_000


class OrderWorld(World):
    """A world with one run on BTCUSDT, an account of 10,000 USDT and two coins of its owner."""

    def __init__(
        self, frame: Any, spec: Any, *, start: Any, money: Any = None, **more: Any
    ) -> None:
        account = money or tn.Account(cash=10_000, quote=500)
        broker = Broker("binance", "sandbox", account, ACCOUNT, connect=self._connect)
        candles = tn.frame_exchange({SYMBOL: frame})
        super().__init__(candles, start=start, runs=[(SYMBOL, spec)], broker=broker, **more)
        market = VenueMarket(SYMBOL, "BTC", "USDT", Decimal("0.01"), Decimal("0.0001"))
        self.venue = SpotVenue([market], {"USDT": Decimal(10_000), "BTC": Decimal(2)})
        self.wire = FaultyVenue(self.venue, role_of=lambda id: role_of(id) if is_ours(id) else None)
        self.feed = PriceFeed(self.wire, dict(rows_of_all(frame, [SYMBOL])))

    def _connect(self, symbol: str, clock: Any) -> VenueConnection:
        del clock
        return VenueConnection(self.wire, self.feed, symbol, self.clock.true_now)

    def arm(self, **limits: Any) -> None:
        """Permit entries for a week."""
        known: dict[str, Any] = {
            "max_order": Decimal(1_000),
            "max_total": Decimal(5_000),
            "max_daily_loss": Decimal(1_000),
            "max_open": 5,
            "orders_an_hour": 1_000,
        }
        now = self.clock.true_now()
        names = tuple(spec.name for _, spec in self.wanted)
        arm = Arm(ACCOUNT, (SYMBOL,), names, since=now, until=now + 7 * DAY, **known | limits)
        write_arm(self.disk, self.home, arm)

    @property
    def coins(self) -> Decimal:
        """The coins of the account beyond those of its owner."""
        return self.venue.total("BTC") - 2


QUICK = Rules(fee_percent=0.1, slippage_percent=0.0)
