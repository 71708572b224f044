"""What an account may be, and what all that share it agree on."""

from __future__ import annotations

import pandas as pd
import pytest

from tradenb.core.money.account import Account, accounts_of, check_account, differences
from tradenb.core.money.funding import charges
from tradenb.core.rules import Rules
from tradenb.errors import UnknownName, UsageError

HOUR = 3_600_000


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"cash": 0, "quote": 1}, "cash: Input should be greater than 0, was 0"),
        ({"quote": 1}, "cash is needed"),
        ({"cash": 10}, "give exactly one of quote or percent or risk; given: none"),
        ({"cash": 10, "quote": 1, "risk": 2}, "given: quote, risk"),
        ({"cash": 10, "quote": 1, "leverage": 0.5}, "leverage: Input should be greater"),
        ({"cash": 10, "quote": 1, "csh": 1}, "unknown field 'csh'; did you mean 'cash'?"),
        ({"cash": 10, "quote": 1, "name": "a/b"}, "name: String should match pattern"),
        ({"cash": 10, "quote": 1, "funding": 3}, "must be a mapping of a symbol"),
        (
            {"cash": 10, "quote": 1, "funding": {"BTCUSDT": 3}},
            "must be percents by time (a Series or a dict), was 3",
        ),
        (
            {"cash": 10, "quote": 1, "funding": {}, "funding_percent": 0.1},
            "give funding_percent or funding, not both",
        ),
    ],
)
def test_a_wrong_setting_is_named_with_its_value(given, words):
    with pytest.raises(UsageError, match="Account: ") as raised:
        Account(**given)
    assert words in str(raised.value)


TIMES = pd.date_range("2024-01-01", periods=4, freq="8h")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            pd.Series([0.1, float("nan"), 0.1, float("inf")], TIMES),
            "the funding of BTCUSDT at 2024-01-01 08:00:00 must be a finite number, was nan",
        ),
        (
            {"2024-01-01": 0.1, "2024-01-02": "0.1", "2024-01-03": None},
            "the funding of BTCUSDT at 2024-01-02 must be a finite number, was '0.1'",
        ),
        (
            {False: 0.1, True: 0.1, "2024-01-03": 0.1},
            "a time of the funding of BTCUSDT must be a moment, was False",
        ),
    ],
)
def test_of_wrong_funding_the_first_row_is_named_and_how_many_there_are(given, words):
    with pytest.raises(UsageError) as raised:
        Account(cash=10, quote=1, funding={"BTCUSDT": given})
    assert str(raised.value) == f"Account: funding: {words} (wrong: 2 of {len(given)})"


def test_a_table_of_funding_is_refused_in_one_line():
    table = pd.DataFrame({"rate": [0.1, 0.2]}, TIMES[:2])
    with pytest.raises(UsageError, match=r"a Series or a dict\), was rate 2024-01-01") as raised:
        Account(cash=10, quote=1, funding={"BTCUSDT": table})
    assert "\n" not in str(raised.value)


def test_settings_go_by_name():
    with pytest.raises(UsageError, match="pass 10 by name; an account has cash, quote"):
        Account(10)


def test_tab_shows_the_settings_alone():
    assert dir(Account(cash=1.0, quote=1.0)) == sorted(Account.model_fields)


def test_leverage_stays_below_what_a_stop_may_lose():
    check_account(Account(cash=10.0, quote=1.0, leverage=4.9), Rules())
    with pytest.raises(UsageError, match=r"leverage 5 x max_stop_loss_percent 20 is 100 %"):
        check_account(Account(cash=10.0, quote=1.0, leverage=5.0), Rules())
    with pytest.raises(UsageError, match=r"account must be tn\.Account\(\.\.\.\), was 3"):
        check_account(3, Rules())


def test_sizes_may_differ_by_strategy_and_nothing_else():
    one, other = Account(cash=10.0, quote=1.0), Account(cash=10.0, risk=2.0)
    assert accounts_of({"b": other, "a": one}, ["a", "b"], Rules()) == {"a": one, "b": other}
    assert accounts_of(one, ["a", "b"], Rules()) == {"a": one, "b": one}
    assert accounts_of(None, ["a"], Rules()) == {}
    assert differences(one, Account(cash=11.0, quote=1.0)) == ["cash 10.0 and 11.0"]
    bold = Account(cash=10.0, quote=1.0, leverage=2.0)
    with pytest.raises(UsageError, match=r"equal but for their sizes: leverage 1\.0 and 2\.0"):
        accounts_of({"a": one, "b": bold}, ["a", "b"], Rules())
    with pytest.raises(UsageError, match="account has nothing for strategy 'b'"):
        accounts_of({"a": one}, ["a", "b"], Rules())
    with pytest.raises(UnknownName, match="unknown strategy of an account 'c'"):
        accounts_of({"a": one, "c": one}, ["a"], Rules())


def test_funding_is_charged_at_eight_hours_or_at_the_times_of_a_series():
    constant = Account(cash=10.0, quote=1.0, funding_percent=0.01)
    assert charges(constant, "BTCUSDT", 0, 16 * HOUR) == ((8 * HOUR, 0.01), (16 * HOUR, 0.01))
    assert charges(constant, "BTCUSDT", 8 * HOUR, 16 * HOUR - 1) == ()
    assert charges(Account(cash=10.0, quote=1.0), "BTCUSDT", 0, 16 * HOUR) == ()
    times = pd.to_datetime(["2024-01-01 04:00", "2024-01-01 00:00"])
    series = Account(cash=10.0, quote=1.0, funding={"BTC/USDT": pd.Series([0.2, -0.1], times)})
    begin = 1_704_067_200_000
    wanted = ((begin, -0.1), (begin + 4 * HOUR, 0.2))
    assert charges(series, "BTCUSDT", begin - 1, begin + 4 * HOUR) == wanted
    assert charges(series, "BTCUSDT", begin, begin + 4 * HOUR - 1) == ()
    assert charges(series, "ETHUSDT", begin - 1, begin + 4 * HOUR) == ()
