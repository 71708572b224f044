"""The picture beside the widget: what a cell sends, and how it is replaced."""

from __future__ import annotations

import pytest
from IPython.core.interactiveshell import InteractiveShell

from tests.live.fast import until
from tradenb.panel.refresh_thread import refresh_thread
from tradenb.panel.static_fallback import EVERY_S, follow

SHORT = "2024-01-02T03:00"


@pytest.fixture
def outputs(monkeypatch):
    """Keep what is sent to the notebook."""
    sent = []

    class Publisher:
        def publish(self, data, metadata=None, *, transient=None, update=False):
            sent.append((data, (transient or {}).get("display_id"), update))

    class Shell:
        display_pub = Publisher()

    monkeypatch.setattr(InteractiveShell, "initialized", classmethod(lambda cls: True))
    monkeypatch.setattr(InteractiveShell, "instance", classmethod(lambda cls: Shell))
    return sent


@pytest.fixture
def shown(rehearse, dashboards, outputs):
    """A dashboard of a run that has ended, displayed."""
    assert rehearse(end=SHORT).wait(240)
    made = dashboards()
    refresh_thread.remove(made)
    made._ipython_display_()
    return made


@pytest.mark.realtime
def test_a_cell_sends_the_widget_and_a_picture_that_stands_for_it(shown, outputs):
    (widget, no_id, _), (picture, id, update) = outputs
    assert "application/vnd.jupyter.widget-view+json" in widget
    assert widget["text/html"].startswith("<!--")  # else it would be there twice
    assert widget["text/plain"].startswith("<dashboard of ")
    assert (no_id, id, update) == (None, shown.fallback, False)
    assert set(picture) == {"text/html"}
    page = picture["text/html"]
    assert page.startswith(f'<div data-tnb-fallback="{id}">')
    assert '<th scope="row">swing on BTCUSDT</th>' in page
    assert page.count("<script") == page.count("</script>") == 1
    assert len(page) < 120_000


@pytest.mark.realtime
def test_the_picture_is_replaced_when_it_became_wrong_once_a_minute(shown, outputs):
    fallback, model = shown._fallback, shown.model
    fallback.replace(model, "", "", 0.0)
    assert len(outputs) == 2  # it is right
    model.rows = [{**model.rows[0], "status": "failing"}]
    fallback.replace(model, "", "", 0.0)
    assert outputs[-1][1:] == (shown.fallback, True)
    model.rows = [{**model.rows[0], "status": "running"}]
    fallback.replace(model, "", "", EVERY_S / 2)
    assert len(outputs) == 3
    fallback.replace(model, "", "", EVERY_S)
    assert len(outputs) == 4


@pytest.mark.realtime
def test_a_frozen_dashboard_leaves_its_last_picture_without_script(shown, outputs):
    shown.freeze()
    page, id, update = outputs[-1]
    assert (id, update) == (shown.fallback, True)
    assert "<script" not in page["text/html"]
    count = len(outputs)
    shown.freeze()
    assert len(outputs) == count


@pytest.mark.realtime
def test_what_was_never_displayed_is_never_replaced(rehearse, dashboards, outputs):
    assert rehearse(end=SHORT).wait(240)
    made = dashboards()
    made._fallback.replace(made.model, "", "", 0.0)
    made.freeze()
    assert outputs == []


def test_without_a_notebook_nothing_is_sent(dashboards, outputs, monkeypatch):
    monkeypatch.setattr(InteractiveShell, "initialized", classmethod(lambda cls: False))
    dashboards()._ipython_display_()
    assert outputs == []


def test_a_name_cannot_end_the_script():
    made = follow("id", "files/</script><script>alert(1)", "")
    assert made.count("</script>") == 1
    assert made.count("<script") == 2  # the second is text within the first


@pytest.mark.realtime
def test_a_file_is_left_while_the_kernel_is_busy_and_only_then(rehearse, dashboards, monkeypatch):
    run = rehearse(speed=12_000, end="2024-01-09")
    until(lambda: run.position, "a position")
    made = dashboards()
    assert not made._offline.path.exists()
    monkeypatch.setattr(made._kernel, "is_free", lambda now: False)
    until(made._offline.path.exists, "the file")
    monkeypatch.setattr(made._kernel, "is_free", lambda now: True)
    until(lambda: not made._offline.path.exists(), "the end of the file")
    monkeypatch.setattr(made._kernel, "is_free", lambda now: False)
    until(made._offline.path.exists, "the file")
    made.close()
    assert not made._offline.path.exists()
