"""Trades are made into records once, and what is written is the same as ever."""

from __future__ import annotations

import pytest

from tests.store.samples import body
from tradenb.core.signal import Trade
from tradenb.store.codec import TradeDict, TradeDicts, dump, text_of
from tradenb.store.document.commit import encode
from tradenb.store.document.read import decode


def with_trades(records):
    plain = body(3)
    return {**plain, "state": {**plain["state"], "trades": records}}


def test_a_body_with_sealed_trades_is_read_back_like_a_plain_one():
    plain = body(3)["state"]["trades"]
    assert plain
    sealed = [TradeDict(record) for record in plain]
    for _ in range(2):  # the second time from what is kept
        assert decode(encode(7, with_trades(sealed))).body == body(3)
    assert encode(7, with_trades(sealed)) == encode(7, with_trades(plain))
    assert [text_of(record) for record in sealed] == [dump(record) for record in plain]


def test_a_sealed_record_that_makes_no_sense_is_refused_every_time():
    wrong = TradeDict({**body(3)["state"]["trades"][0], "entry": -1.0})
    for _ in range(2):
        with pytest.raises(ValueError, match=r"state\.trades\.0\.entry"):
            encode(7, with_trades([wrong]))


def test_records_are_made_once_for_each_trade_and_forgotten_with_it():
    first, second, third = (
        Trade(**{**body(3)["state"]["trades"][0], "signal_id": name}) for name in "abc"
    )
    records = TradeDicts()
    one, two = records.of((first, second))
    again, new = records.of((second, third))
    assert again is two
    assert (one["signal_id"], two["signal_id"], new["signal_id"]) == ("a", "b", "c")
    assert records.of((first,))[0] is not one
