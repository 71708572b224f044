"""The account of an `ExchangeServer`: signed requests, answered by a venue in memory."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

from tradenb.core.candles.arrays import Rows
from tradenb.errors import UsageError
from tradenb.testing.server.binance_answers import json_of
from tradenb.testing.server.binance_api import Market, venue_market
from tradenb.testing.server.binance_requests import read_request
from tradenb.testing.server.price_feed import PriceFeed
from tradenb.testing.server.signed_requests import Credentials, read_signed
from tradenb.testing.venue.faulty_venue import FaultyVenue
from tradenb.testing.venue.spot_venue import SpotVenue
from tradenb.testing.venue.venue_faults import VenueReply
from tradenb.testing.venue.venue_records import VenueRefusal

CREDENTIALS: Final = Credentials("loopback-key", "loopback-secret")
KEYS: Final = {
    "apiKey": "env:TRADENB_LOOPBACK_KEY",
    "secret": "env:TRADENB_LOOPBACK_SECRET",
}
"""Where `loopback_keys` puts the key of every `ExchangeServer`."""


class SignedReply(NamedTuple):
    """What a signed request is answered with: how it is sent, and the JSON of it."""

    reply: VenueReply
    body: bytes


class ServerAccount:
    """One account: its venue, its prices, and who may ask.

    Parameters
    ----------
    venue : FaultyVenue
    rows : dict of str to Rows
        1m candles by symbol.
    volume_share : float, optional
        See `PriceFeed`.
    """

    def __init__(
        self, venue: FaultyVenue, rows: Mapping[str, Rows], *, volume_share: float | None = None
    ) -> None:
        self.venue = venue
        self.credentials = CREDENTIALS
        self._feed = PriceFeed(venue, rows, volume_share=volume_share)

    def advance(self, now: int) -> None:
        """Let prices, and what is late, come to a moment."""
        self._feed.advance(now)

    def respond(
        self, method: str, path: str, *, key: str | None, query: str, body: str, now: int
    ) -> SignedReply:
        """Answer a signed request as it came."""
        self.advance(now)
        try:
            signed = read_signed(self.credentials, key, query, body)
            request = read_request(method, path, signed.params)
        except VenueRefusal as error:
            status = 401 if error.code in {-2014, -2015} else 400
            return _written(VenueReply(status=status, code=error.code, text=error.text), None)
        reply = self.venue.call(request, at=now, sent_at=signed.sent_at, window=signed.window)
        found = None if reply.answer is None else json_of(request, reply.answer, signed.params)
        return _written(reply, found)


def loopback_keys() -> dict[str, str]:
    """Put the key of every `ExchangeServer` into the environment, and return the references."""
    os.environ["TRADENB_LOOPBACK_KEY"] = CREDENTIALS.key
    os.environ["TRADENB_LOOPBACK_SECRET"] = CREDENTIALS.secret
    return dict(KEYS)


def account_on(
    markets: Mapping[str, Market],
    *,
    balances: Mapping[str, float | Decimal] | None,
    venue: FaultyVenue | None,
    volume_share: float | None,
) -> ServerAccount | None:
    """Return the account that holds these balances, or is this venue; None without either."""
    if balances is not None and venue is not None:
        raise UsageError("pass balances or venue, not both; a venue has its own balances")
    if balances is not None:
        listed = [venue_market(market) for market in markets.values()]
        venue = FaultyVenue(SpotVenue(listed, as_amounts(balances)))
    if venue is None:
        return None
    unknown = sorted({*markets} ^ {*venue.venue.book.states})
    if unknown:
        raise UsageError(
            f"candles and venue must have the same symbols; only one of them has {unknown}"
        )
    rows = {market.symbol: market.rows for market in markets.values()}
    return ServerAccount(venue, rows, volume_share=volume_share)


def _written(reply: VenueReply, found: Any) -> SignedReply:
    if reply.code is not None:
        found = {"code": reply.code, "msg": reply.text}
    return SignedReply(reply, json.dumps({} if found is None else found).encode())


def as_amounts(balances: Mapping[str, float | Decimal]) -> dict[str, Decimal]:
    """Return amounts of assets in decimals, as they are written.

    Examples
    --------
    >>> as_amounts({"USDT": 1000, "BTC": 0.1})
    {'USDT': Decimal('1000'), 'BTC': Decimal('0.1')}
    """
    return {asset: Decimal(str(amount)) for asset, amount in balances.items()}
