"""One file of a journal, read from either end, whatever stands in it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.store.samples import HOME, KEY
from tradenb.store.codec import dump
from tradenb.store.journal.lines import CHUNK, backwards, forwards
from tradenb.testing.world.fake_disk import FakeDisk

PATH = HOME.journal(KEY)
LINES = st.lists(
    st.integers(1, 99).map(lambda seq: dump({"seq": seq, "note": "x" * (seq * 37 % 500)}))
    | st.sampled_from([b"", b"{}", b'{"seq":"1"}', b"[1]", b"{", b"\0\0", b'{"seq":true}']),
    max_size=12,
)


@given(LINES, st.booleans(), st.sampled_from([7, 64, 4096]))
def test_forwards_and_backwards_find_the_same_rows(found, ends, chunk):
    import tradenb.store.journal.lines as lines

    before, lines.CHUNK = lines.CHUNK, chunk
    try:
        disk = FakeDisk()
        data = b"\n".join(found) + (b"\n" if ends else b"")
        disk.plant(PATH, data)
        there = list(forwards(disk, PATH))
        back = list(backwards(disk, PATH))
    finally:
        lines.CHUNK = before
    assert back == there[::-1]
    complete = data.split(b"\n")[:-1]
    assert [dump(line.row) for line in there] == [line for line in complete if b'"note"' in line]
    for line in there:
        assert data[: line.end].endswith(dump(line.row) + b"\n")


def test_a_file_without_line_ends_is_not_read_into_memory(monkeypatch):
    monkeypatch.setattr("tradenb.store.journal.lines._LONGEST", 4 * CHUNK)
    disk = FakeDisk()
    disk.plant(PATH, b"x" * (40 * CHUNK))
    assert list(forwards(disk, PATH)) == []
    assert list(backwards(disk, PATH)) == []
    assert sum(item.name == "read" for item in disk.operations) < 15
