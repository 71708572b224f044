"""Key and secret of an account are in nothing that a run with a broker writes, shows or logs."""

from __future__ import annotations

import pytest

from tests.brokers.test_force_kill import sending
from tradenb.cli import main
from tradenb.store.paths import find_home
from tradenb.testing.server.server_account import CREDENTIALS

CANARIES = (CREDENTIALS.key, CREDENTIALS.secret, "signature=", "X-MBX-APIKEY")
FOLDERS = {"arm", "brokers", "orders", "state"}


def leaks(text: str) -> list[str]:
    return [word for word in CANARIES if word in text]


@pytest.mark.realtime
def test_no_file_no_page_and_no_line_has_a_key(capsys, tmp_path, unlimited):
    with sending() as (server, process):
        del server
        for verb in ("status", "orders", "account", "doctor", "reconcile"):
            main([verb])
            main([verb, "--json"])
        main(["report", "--output", str(tmp_path)])
        shown = capsys.readouterr()
        data = find_home().data
        files = [path for path in data.rglob("*") if path.is_file()]
        assert {path.relative_to(data).parts[0] for path in files} >= FOLDERS
        assert "TRADENB_LOOPBACK_KEY" in "".join(
            path.read_text("utf-8") for path in (data / "brokers").iterdir()
        )
        pages = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert pages
        for path in (*files, *pages):
            assert leaks(path.read_bytes().decode("utf-8", "replace")) == [], path
        assert "BTCUSDT" in shown.out
        assert leaks(shown.out + shown.err) == []
        assert leaks(str(process.words)) == []
