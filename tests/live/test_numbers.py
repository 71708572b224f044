"""The numbers of events go on where the journal ends, also when the document is gone."""

from __future__ import annotations

import shutil

import tradenb as tn


def test_a_run_without_its_document_goes_on_numbering_after_the_journal(tmp_path):
    @tn.strategy("always", every="1m")
    def always(ctx):
        return tn.long(take_profit=1.02 * ctx.price, stop_loss=0.98 * ctx.price, minutes=1)

    walk = tn.testing.random_walk(seed=1, days=1)

    def rehearse(end):
        run = tn.live.rehearse(
            "BTCUSDT",
            strategy=always,
            exchange=walk,
            start="2024-01-01T01:00",
            end=end,
            speed=None,
            home=tmp_path,
        )
        assert run.wait(60)
        return run.events()

    before = rehearse("2024-01-01T01:10")
    assert before.seq.tolist() == list(range(1, len(before) + 1))
    shutil.rmtree(tmp_path / "rehearsal" / "data" / "state")
    after = rehearse("2024-01-01T01:10")
    assert after.seq.tolist() == list(range(1, 2 * len(before) + 1))
    assert after.kind.tolist() == 2 * before.kind.tolist()
