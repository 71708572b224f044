"""Client ids, and what the end of a request proves."""

from __future__ import annotations

from uuid import UUID

import pytest

from tradenb.core.orders.answers import NotFound, NotSent, QueryFailed, Refused, Unclear
from tradenb.core.orders.client_ids import client_id, is_ours, role_of
from tradenb.core.orders.outcomes import Ended, after_query, after_submit
from tradenb.core.orders.venue import BINANCE_SPOT


def test_a_client_id_is_a_uuid_that_names_package_and_role() -> None:
    id = client_id("run", "s1", "protection", 2)
    found = UUID(hex=id)
    assert (found.version, found.variant) == (8, "specified in RFC 4122")
    assert is_ours(id)
    assert role_of(id) == "protection"
    assert id == client_id("run", "s1", "protection", 2)


def test_run_signal_role_and_attempt_make_other_ids() -> None:
    ids = {
        client_id(run, signal, role, attempt)  # type: ignore[arg-type]
        for run in ("a", "b")
        for signal in ("s1", "s11")
        for role in ("entry", "protection", "part", "exit", "stop", "target")
        for attempt in (1, 2, 11)
    }
    assert len(ids) == 2 * 2 * 6 * 3


@pytest.mark.parametrize("id", ["", "web_1", "746e62", "746e629" + "0" * 25, "846e621" + "0" * 25])
def test_ids_of_others_are_not_ours(id: str) -> None:
    assert not is_ours(id)


@pytest.mark.parametrize(
    ("left", "whole", "code", "text", "kind"),
    [
        (False, False, "", "connection refused", NotSent),
        (True, False, "-2010", "half a body", Unclear),
        (True, True, "", "an answer without an id", Unclear),
        (True, True, "-1006", "execution status unknown", Unclear),
        (True, True, "-2010", "Duplicate order sent.", Unclear),
        (True, True, "-2010", "insufficient balance", Refused),
        (True, True, "-1013", "Filter failure: LOT_SIZE", Refused),
        (True, True, "-9999", "a code that nobody knows", Unclear),
    ],
)
def test_an_order_is_refused_by_a_listed_code_alone(
    left: bool, whole: bool, code: str, text: str, kind: type
) -> None:
    found = after_submit("x", Ended(left, whole, code, text), BINANCE_SPOT)
    assert type(found) is kind


@pytest.mark.parametrize(
    "text", ["Stop price would trigger immediately.", "The relationship of the prices is wrong"]
)
def test_a_stop_beyond_the_price_is_a_refusal_of_its_own(text: str) -> None:
    found = after_submit("x", Ended(True, True, "-2010", text), BINANCE_SPOT)
    assert isinstance(found, Refused)
    assert found.would_trigger


@pytest.mark.parametrize(
    ("whole", "code", "kind"),
    [(True, "-2013", NotFound), (True, "-2018", NotFound), (True, "-1003", QueryFailed),
     (False, "-2013", QueryFailed), (True, "", QueryFailed)],
)  # fmt: skip
def test_an_order_is_not_found_by_the_words_of_the_exchange_alone(
    whole: bool, code: str, kind: type
) -> None:
    assert type(after_query("x", Ended(True, whole, code, ""), BINANCE_SPOT)) is kind
