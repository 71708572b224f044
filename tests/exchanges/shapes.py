"""Two exchanges of other shapes on loopback, answering as kraken and bybit do.

The answers are written after the public documentation of both: kraken gives the newest 720 candles
whatever is asked for, in seconds, eight fields to a row, under a name of its own; bybit gives them
newest first, as text, under result.list.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from concurrent.futures import Future
from typing import Any

from aiohttp import web

from tests.sources import MINUTE

KRAKEN_MOST = 720


class Shaped:
    """A server for one market, BTC/USD(T); a context manager."""

    def __init__(self, kind: str, rows: list[list[float]], now: int) -> None:
        self.rows, self.now = rows, now
        self.asked: Counter[str] = Counter()
        self._answer = getattr(self, f"_{kind}")
        self._over: Any = None

    def __enter__(self) -> Shaped:
        ready: Future[int] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{ready.result(30)}"
        return self

    def __exit__(self, *reason: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(60)

    async def _serve(self, ready: Future[int]) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        application = web.Application()
        application.router.add_get("/{path:.*}", self._respond)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        ready.set_result(runner.addresses[0][1])
        await self._over.wait()
        await runner.cleanup()

    async def _respond(self, request: web.Request) -> web.Response:
        path = request.match_info["path"]
        self.asked[path.rsplit("/", 1)[-1]] += 1
        return web.json_response(self._answer(path, request.query))

    def _shown(self) -> list[list[float]]:
        """The candles that have begun; the last one half way."""
        shown = [row for row in self.rows if row[0] <= self.now]
        if shown and shown[-1][0] + MINUTE > self.now:
            time, open_, _, _, _, volume = shown[-1]
            shown[-1] = [time, open_, open_, open_, open_, volume / 2]
        return shown

    def _kraken(self, path: str, query: Any) -> Any:
        if path.endswith("Time"):
            return {"error": [], "result": {"unixtime": self.now // 1000, "rfc1123": ""}}
        if path.endswith("Assets"):
            asset = {"aclass": "currency", "decimals": 10, "display_decimals": 5}
            return {
                "error": [],
                "result": {
                    "XXBT": {**asset, "altname": "XBT"},
                    "ZUSD": {**asset, "altname": "USD"},
                },
            }
        if path.endswith("AssetPairs"):
            return {"error": [], "result": {"XXBTZUSD": KRAKEN_PAIR}}
        if path.endswith("OHLC"):
            since = int(query["since"]) * 1000
            rows = [row for row in self._shown()[-KRAKEN_MOST:] if row[0] > since]
            found = [
                [int(t) // 1000, str(o), str(h), str(low), str(c), "0.0", str(v), 3]
                for t, o, h, low, c, v in rows
            ]
            last = found[-1][0] if found else 0
            return {"error": [], "result": {"XXBTZUSD": found, "last": last}}
        return {"error": ["EGeneral:Unknown method"]}

    def _bybit(self, path: str, query: Any) -> Any:
        result: Any = {}
        if path.endswith("time"):
            result = {"timeSecond": str(self.now // 1000), "timeNano": str(self.now * 1_000_000)}
        elif path.endswith("instruments-info"):
            result = {"category": "spot", "list": [BYBIT_MARKET], "nextPageCursor": ""}
        elif path.endswith("kline"):
            start, limit = int(query["start"]), int(query["limit"])
            rows = [row for row in self._shown() if row[0] >= start][:limit]
            found = [[str(int(row[0])), *map(str, row[1:]), "0"] for row in rows]
            result = {"symbol": "BTCUSDT", "category": "spot", "list": found[::-1]}
        else:
            return {"retCode": 10001, "retMsg": "unknown path", "result": {}, "time": self.now}
        return {
            "retCode": 0,
            "retMsg": "OK",
            "result": result,
            "retExtInfo": {},
            "time": self.now,
        }


KRAKEN_PAIR = {
    "altname": "XBTUSD",
    "wsname": "XBT/USD",
    "aclass_base": "currency",
    "base": "XXBT",
    "aclass_quote": "currency",
    "quote": "ZUSD",
    "lot": "unit",
    "cost_decimals": 5,
    "pair_decimals": 1,
    "lot_decimals": 8,
    "lot_multiplier": 1,
    "leverage_buy": [],
    "leverage_sell": [],
    "fees": [[0, 0.4]],
    "fees_maker": [[0, 0.25]],
    "fee_volume_currency": "ZUSD",
    "margin_call": 80,
    "margin_stop": 40,
    "ordermin": "0.0001",
    "costmin": "0.5",
    "tick_size": "0.1",
    "status": "online",
}
BYBIT_MARKET = {
    "symbol": "BTCUSDT",
    "baseCoin": "BTC",
    "quoteCoin": "USDT",
    "innovation": "0",
    "status": "Trading",
    "marginTrading": "none",
    "lotSizeFilter": {
        "basePrecision": "0.000001",
        "quotePrecision": "0.00000001",
        "minOrderQty": "0.000048",
        "maxOrderQty": "71.73956243",
        "minOrderAmt": "1",
        "maxOrderAmt": "4000000",
    },
    "priceFilter": {"tickSize": "0.01"},
    "riskParameters": {},
}
