"""Records are made into dicts once, and what is written is the same as ever."""

from __future__ import annotations

import pytest

from tests.store.samples import body
from tests.store.test_versions import LEDGER
from tradenb.core.signal import Trade
from tradenb.store.codec import SealedDict, SealedDicts, SealedList, dump, text_of
from tradenb.store.document.commit import encode
from tradenb.store.document.ledger_record import (
    LedgerDicts,
    check_ledger,
    ledger_from_record,
    ledger_to_record,
)
from tradenb.store.document.read import decode


def with_trades(records):
    plain = body(3)
    return {**plain, "state": {**plain["state"], "trades": records}}


def test_a_body_with_sealed_trades_is_read_back_like_a_plain_one():
    plain = body(3)["state"]["trades"]
    assert plain
    sealed = [SealedDict(record) for record in plain]
    for _ in range(2):  # the second time from what is kept
        assert decode(encode(7, with_trades(sealed))).body == body(3)
    assert encode(7, with_trades(sealed)) == encode(7, with_trades(plain))
    assert [text_of(record) for record in sealed] == [dump(record) for record in plain]


def test_a_sealed_record_that_makes_no_sense_is_refused_every_time():
    wrong = SealedDict({**body(3)["state"]["trades"][0], "entry": -1.0})
    for _ in range(2):
        with pytest.raises(ValueError, match=r"state\.trades\.0\.entry"):
            encode(7, with_trades([wrong]))


def test_records_are_made_once_for_each_trade_and_forgotten_with_it():
    first, second, third = (
        Trade(**{**body(3)["state"]["trades"][0], "signal_id": name}) for name in "abc"
    )
    records = SealedDicts(Trade._asdict)
    one, two = records.of((first, second))
    again, new = records.of((second, third))
    assert again is two
    assert (one["signal_id"], two["signal_id"], new["signal_id"]) == ("a", "b", "c")
    assert records.of((first,))[0] is not one


def test_the_same_record_twice_is_two_rows():
    trade = Trade(**body(3)["state"]["trades"][0])
    first, second = SealedDicts(Trade._asdict).of((trade, trade))
    assert first is second


def test_a_list_that_did_not_change_is_the_same_one_and_written_the_same():
    trades = tuple(Trade(**record) for record in body(3)["state"]["trades"])
    records = SealedDicts(Trade._asdict)
    first = records.of(trades)
    assert records.of(trades) is first
    assert records.of(trades[:-1]) == first[:-1]
    assert records.of(trades) == first
    for made in (first, SealedList()):
        for _ in range(2):
            assert text_of(made) == dump([*made])
            assert encode(7, with_trades(made)) == encode(
                7, with_trades([dict(row) for row in made])
            )


def test_a_sealed_list_that_makes_no_sense_is_refused_every_time():
    record = body(3)["state"]["trades"][0]
    wrong = SealedList([SealedDict(record), SealedDict({**record, "entry": -1.0})])
    for _ in range(2):
        with pytest.raises(ValueError, match=r"state\.trades\.1\.entry"):
            encode(7, with_trades(wrong))
    many = SealedList(SealedDict(record) for _ in range(1_001))
    with pytest.raises(ValueError, match="at most 1000 items"):
        encode(7, with_trades(many))


def test_a_state_that_is_sealed_is_written_like_a_plain_one():
    plain = {**body(3), "account": "sandbox:loopback:1a2b3c4d", "ledger": LEDGER}
    trades = [SealedDict(record) for record in plain["state"]["trades"]]
    sealed = {
        **plain,
        "state": SealedDict(plain["state"], trades=trades),
        "ledger": LedgerDicts().of(ledger_from_record(LEDGER)),
    }
    for seq in (7, 8):
        assert encode(seq, sealed) == encode(seq, plain)


def test_a_sealed_state_that_makes_no_sense_is_refused_every_time():
    plain = body(3)
    wrong = {**plain, "state": SealedDict(plain["state"], every=7)}
    for _ in range(2):
        with pytest.raises(ValueError, match="every must be the length of a timeframe, was 7"):
            encode(7, wrong)


def test_rows_of_a_ledger_are_made_once_also_when_they_move_to_the_past():
    ledger, dicts = ledger_from_record(LEDGER), LedgerDicts()
    first = dicts.of(ledger)
    assert first == ledger_to_record(ledger) == LEDGER
    moved = ledger._replace(past=ledger.orders, orders=())
    second = dicts.of(moved)
    assert second == ledger_to_record(moved)
    assert second["past"][0] is first["orders"][0]
    assert second["reports"][0] is first["reports"][0]


def test_rows_of_a_ledger_are_checked_once_and_wrong_ones_every_time():
    record = LedgerDicts().of(ledger_from_record(LEDGER))
    check_ledger(record)
    assert record["orders"][0].checked
    assert record["reports"][0].checked
    wrong = SealedDict({**LEDGER["orders"][0], "quantity": "many"})
    for _ in range(2):
        with pytest.raises(ValueError, match=r"quantity"):
            check_ledger({**record, "orders": [*record["orders"], wrong]})
    with pytest.raises(ValueError, match=r"dust"):
        check_ledger({**record, "dust": "much"})
