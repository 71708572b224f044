"""A spot exchange without a socket or a clock: orders, OCO lists, trades, balances, and faults.

`SpotVenue` is the exchange of one account, in Decimal. Prices come from outside (`set_price` jumps,
`move_price` goes through, `play_candle` follows a candle), and so does the time of everything.

>>> from decimal import Decimal as D
>>> from tradenb.testing.venue.spot_venue import SpotVenue
>>> from tradenb.testing.venue.venue_records import VenueMarket
>>> from tradenb.testing.venue.venue_requests import Leg, NewList, NewOrder, QueryOrder
>>> venue = SpotVenue([VenueMarket("BTCUSDT", "BTC", "USDT")], {"USDT": D(1000)})
>>> venue.set_price("BTCUSDT", D(100), at=0)

`FaultyVenue` is the same exchange at the end of a wire. `call` takes a request (one record of
`venue_requests.py` each) and returns a `VenueReply`: `received` is the record that came whole, or
None; `code` and `text` are those of a refusal; `form` says how an answer was damaged or lost.
A request dies when it arrives later than `sent_at + window`.

>>> from tradenb.testing.venue.faulty_venue import FaultyVenue
>>> from tradenb.testing.venue.venue_faults import VenueFault
>>> wire = FaultyVenue(venue, [VenueFault("accept", "reset", method="POST", path="order")])
>>> entry = NewOrder("BTCUSDT", "BUY", "LIMIT", D(2), "e1", D("100.2"), time_in_force="IOC")
>>> lost = wire.call(entry, at=1000, sent_at=1000, window=3000)
>>> lost.form, lost.received
('reset', None)
>>> found = wire.call(QueryOrder("BTCUSDT", "e1"), at=2000).received.order
>>> found.status, found.executed, found.average
('FILLED', Decimal('2'), Decimal('100.00'))

Own base is 1.998 after the fee. Target and stop as one list; any fill of a leg ends the other:

>>> above = Leg("LIMIT_MAKER", "t1", D(110))
>>> below = Leg("STOP_LOSS_LIMIT", "s1", D("94.5"), D(95), "GTC")
>>> wire.call(NewList("BTCUSDT", "SELL", D("1.998"), above, below, "g1"), at=3000).code
>>> venue.play_candle("BTCUSDT", (D(100), D(101), D(94), D(96)), opened_at=60_000)
>>> [(each.client_id, each.status) for each in venue.orders.values()]
[('e1', 'FILLED'), ('t1', 'EXPIRED'), ('s1', 'FILLED')]

Faults are given (`faults=`, or appended to `wire.faults`), or drawn for each request
(`draw=callable(request, role, at)`); `every_fault()` is the menu. `wire.next_due` tells when
something that is late arrives; call `wire.advance(at)` before the price moves past it. What judges
need is on the venue: `orders`, `trades`, `live_orders(symbol)`, `total(asset)`, `free(asset)`.
"""
