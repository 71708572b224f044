"""A report reads a journal in one pass: what it finds is what the parser finds, however it lies."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradenb.core.events import Event
from tradenb.core.signal import Signal
from tradenb.core.trades import trades_of
from tradenb.engine import serialise
from tradenb.engine.serialise import event_to_row, row_to_event
from tradenb.live.status import run_history
from tradenb.live.status.run_history import NEWEST, history_of
from tradenb.store.codec import dump
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.journal import lines, picking
from tradenb.store.journal.event_journal import Journal

MINUTE = 60_000
SIGNAL = Signal(
    id="", symbol="BTCUSDT", strategy="dip", position="long", entry=100.5, take_profit=104.25,
    stop_loss=98.0, minutes=60, size=None, note=None, at=0,
)  # fmt: skip


def event(seq, kind, id=None, **more):
    signal = None if id is None else SIGNAL._replace(id=id)
    if kind == "closed":
        more = {"price": 104.25, "pnl_percent": 3.5 - seq % 7, "exit_reason": "take_profit"} | more
    return Event(seq, seq * MINUTE, "BTCUSDT", "dip", kind, signal, **more, mode="live", wall=seq)


def life(positions, start=0):
    """So many positions, each with five events, and an error after each."""
    found = []
    for number in range(start, start + positions):
        id = f"BTCUSDT-dip-{number}"
        kinds = ("scheduled", "opened", "milestone", "milestone", "closed", "error")
        for place, kind in enumerate(kinds, 6 * number + 1):
            more = {"note": "the request failed"} if kind == "error" else {}
            found.append(event(place, kind, None if kind == "error" else id, **more))
    return found


def journal_of(tmp_path, events, **more):
    journal = Journal(DiskFilesystem(durable=False), tmp_path / "j.jsonl", **more)
    for first in range(0, len(events), 50):
        journal.append([event_to_row(each) for each in events[first : first + 50]])
    return journal


def by_the_parser(journal):
    events = [row_to_event(row) for row in journal.read()]
    errors = [each for each in events if each.kind == "error"]
    gains = [each.pnl_percent for each in events if each.kind == "closed"]
    return run_history.RunHistory(
        len(events),
        events[-NEWEST:],
        trades_of(events),
        [gain for gain in gains if gain is not None],
        len(errors),
        errors[-1] if errors else None,
    )


def test_a_long_journal_in_many_files_is_what_the_parser_reads(tmp_path):
    journal = journal_of(tmp_path, life(300), rotate_bytes=20_000)
    assert len(list(tmp_path.iterdir())) > 10
    found = history_of(journal)
    assert found == by_the_parser(journal)
    assert (found.total, len(found.trades), found.errors) == (1_800, 300, 300)


def test_of_a_journal_as_it_is_written_no_line_but_the_newest_is_parsed(tmp_path, monkeypatch):
    parsed, read = [], lines.parse
    for module in (lines, run_history):
        monkeypatch.setattr(module, "parse", lambda line: parsed.append(1) or read(line))
    made = []
    monkeypatch.setattr(
        run_history, "row_to_event", lambda row: made.append(1) or serialise.row_to_event(row)
    )
    journal = journal_of(tmp_path, life(1_000))
    parsed.clear()
    assert history_of(journal).total == 6_000
    # The newest ones, a stretch of lines around them, and the last error.
    assert len(parsed) <= 2 * NEWEST
    assert len(made) == NEWEST + 1


def test_what_is_held_at_one_time_does_not_grow_with_the_journal(tmp_path, monkeypatch):
    monkeypatch.setattr(picking, "STRETCH", 4_096)
    journal = journal_of(tmp_path, life(300))
    sizes = journal.pick(
        ("opened", "closed", "error"),
        lambda found: [sum(map(len, lines)) for each in found for lines in each.values()],
    )
    assert len(sizes) > 100
    assert max(sizes) <= 4_096


def test_an_odd_line_costs_the_parser_only_the_lines_around_it(tmp_path, monkeypatch):
    path, events = tmp_path / "j.jsonl", life(1_000)
    written = [dump(event_to_row(each)) for each in events]
    written[3_000] = written[3_000].replace(b'"kind":"', b'"kind": "')
    path.write_bytes(b"\n".join(written) + b"\n")
    parsed, read = [], lines.parse
    monkeypatch.setattr(lines, "parse", lambda line: parsed.append(line) or read(line))
    journal = Journal(DiskFilesystem(durable=False), path)
    assert journal.pick(("closed",), lambda found: sum(len(each["closed"]) for each in found))
    assert written[3_000] in parsed
    assert len(parsed) < 60
    assert history_of(journal) == by_the_parser(journal)


@pytest.mark.parametrize("batch", [1, 7, 100_000])
def test_however_many_lines_are_read_together_the_history_is_the_same(tmp_path, monkeypatch, batch):
    monkeypatch.setattr(picking, "STRETCH", 4_096)
    monkeypatch.setattr(run_history, "BATCH", batch)
    journal = journal_of(tmp_path, life(100))
    assert history_of(journal) == by_the_parser(journal)


TEXTS = st.sampled_from([None, "plain", "a, b", 'said "x"', "back\\slash", "é 😀", ',"note":', "}"])


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                ["opened", "closed", "milestone", "error", "rejected", "added", "partial"]
            ),
            st.sampled_from(["a", "b", "c", "d", 'q"q', "k,k"]),
            TEXTS,
            st.sampled_from([None, 1.5, -0.25, 1e-9, 12345678.125]),
            st.booleans(),
        ),
        max_size=40,
    ),
    st.integers(60, 3_000),
)
def test_any_order_ids_notes_and_gaps_are_what_the_parser_reads(
    tmp_path_factory, given_rows, stretch
):
    events = []
    for seq, (kind, id, note, gain, late) in enumerate(given_rows, 1):
        made = event(seq, kind, None if kind == "error" else id, note=note, late=late)
        if kind == "closed":
            made = made._replace(pnl_percent=gain)
            made = made._replace(signal=made.signal._replace(size=gain))
        events.append(made)
    journal = journal_of(tmp_path_factory.mktemp("journal"), events)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(picking, "STRETCH", stretch)
        whole = by_the_parser(journal)
        assert history_of(journal) == whole
        assert history_of(journal, trades=False) == whole._replace(trades=[])


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text + text,
        lambda text: text[: len(text) // 2],
        lambda text: "nonsense\n" + text,
        lambda text: text.replace('"kind":"opened"', '"kind": "opened"'),
        lambda text: text.replace(",", ", "),
        lambda text: "".join(
            json.dumps(json.loads(x), sort_keys=True) + "\n" for x in text.split("\n") if x
        ),
        lambda text: text.replace("104.25", "104"),
        lambda text: text + "x" * 5_000,
    ],
    ids=["twice", "torn", "nonsense", "spaced", "spaces", "keys", "ints", "tail"],
)
def test_a_file_that_another_hand_was_in_is_what_the_parser_reads(tmp_path, spoil):
    path = tmp_path / "j.jsonl"
    text = b"".join(dump(event_to_row(each)) + b"\n" for each in life(30)).decode()
    path.write_text(spoil(text))
    journal = Journal(DiskFilesystem(durable=False), path)
    assert history_of(journal) == by_the_parser(journal)


def test_a_line_without_an_end_is_not_read_without_bound(tmp_path, monkeypatch):
    monkeypatch.setattr(picking, "_LONGEST", 10_000)
    monkeypatch.setattr(picking, "STRETCH", 4_096)
    path = tmp_path / "j.jsonl"
    path.write_bytes(b"x" * 100_000)
    assert history_of(Journal(DiskFilesystem(durable=False), path)).total == 0
