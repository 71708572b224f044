"""An account and what it is armed for, for the tests of this folder."""

from __future__ import annotations

from decimal import Decimal

from tests.core.orders.situations import NOW as NOW  # noqa: PLC0414 - the same moment
from tradenb.core.orders.gate import Arm
from tradenb.store.paths import Key

D = Decimal
HOUR = 3_600_000
ACCOUNT = "sandbox:loopback:1a2b3c4d"
DIP = Key("dip", "BTCUSDT")
TREND = Key("trend", "ETHUSDT")
ARM = Arm(
    account=ACCOUNT, symbols=("BTCUSDT", "ETHUSDT"), strategies=("dip", "trend"),
    max_order=D("100.5"), max_total=D(300), max_daily_loss=D(20), max_open=3, orders_an_hour=60,
    since=NOW - 1, until=NOW + HOUR, by="ada on desk",
)  # fmt: skip
