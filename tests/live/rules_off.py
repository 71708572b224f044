"""Our own rules, each with a way to switch it off; `test_rules_off.py` shows that it is noticed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tradenb.core.timeframe import floor_to
from tradenb.engine.context import saved_state
from tradenb.engine.session.pump import Session
from tradenb.errors import StateError
from tradenb.live.arrival.request_times import RequestTimes
from tradenb.live.arrival.revisions import Revisions
from tradenb.live.loop import first_state, scheduler, startup
from tradenb.live.loop.tick import GroupTick
from tradenb.live.loop.tick_member import TickMember
from tradenb.live.state.disk_storage import DiskStorage
from tradenb.live.state.shared_books import SharedBooks
from tradenb.store.document.commit import Writer
from tradenb.testing.world.fake_disk import FakeDisk

Off = Callable[[pytest.MonkeyPatch], None]


def no_rollback_after_a_failed_commit(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(TickMember, "restore", lambda self: None)


def publish_before_commit(patch: pytest.MonkeyPatch) -> None:
    right = GroupTick._settle

    async def settle(self: Any, session: Any) -> None:
        seen = [event._replace(wall=self._notifier.clock.now()) for event in session.events]
        await self._notifier.publish(seen)
        await right(self, session)

    patch.setattr(GroupTick, "_settle", settle)


def folder_not_synced(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(FakeDisk, "sync_folder", lambda self, path: None)


def no_bak(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Writer, "_keep_bak", lambda self: None)


def numbers_begin_anew(patch: pytest.MonkeyPatch) -> None:
    right = first_state.begin

    def begin(run: Any, checkpoint: Any, history: Any) -> None:
        right(run, checkpoint, history)
        run.instance.numbering.last = 0

    patch.setattr(startup, "begin", begin)


def entries_in_the_past(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Session, "reason_to_skip", lambda self, instance, at: None)


def late_exits_at_the_latest_price(patch: pytest.MonkeyPatch) -> None:
    right = Session._note

    def note(self: Any, instance: Any, event: Any) -> None:
        if event.kind == "closed" and event.at < self.fresh_from:
            event = event._replace(price=float(instance.candles.close[-1]))
        right(self, instance, event)

    patch.setattr(Session, "_note", note)


def cursor_not_saved(patch: pytest.MonkeyPatch) -> None:
    right = TickMember.checkpoint

    def checkpoint(self: Any, events: Any, wall: int) -> Any:
        if self.run.committed is not None and not any(map(self.owns, events)):
            return None
        return right(self, events, wall)

    patch.setattr(TickMember, "checkpoint", checkpoint)


def catch_up_skipped(patch: pytest.MonkeyPatch) -> None:
    right = startup.first_checkpoint

    def first_checkpoint(run: Any, now: int) -> Any:
        checkpoint = right(run, now)
        return checkpoint._replace(state=checkpoint.state._replace(cursor=floor_to(now)))

    patch.setattr(startup, "first_checkpoint", first_checkpoint)


def outbox_not_completed_in_the_journal(patch: pytest.MonkeyPatch) -> None:
    right = DiskStorage._body_of

    def body_of(self: Any, checkpoint: Any) -> Any:
        return {**right(self, checkpoint), "outbox": []}

    patch.setattr(DiskStorage, "_body_of", body_of)


def risk_book_not_shared(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(scheduler, "grouped", lambda runs: [[run] for run in runs])
    patch.setattr(SharedBooks, "lock", lambda self: [])


def command_obeyed_twice_after_a_crash(patch: pytest.MonkeyPatch) -> None:
    right = DiskStorage._body_of

    def body_of(self: Any, checkpoint: Any) -> Any:
        return {**right(self, checkpoint), "taken": []}

    patch.setattr(DiskStorage, "_body_of", body_of)


def request_obeyed_again_and_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(DiskStorage, "accept", lambda self, requests: None)
    patch.setattr(DiskStorage, "remove_requests", lambda self, requests: None)


def milestones_not_saved(patch: pytest.MonkeyPatch) -> None:
    right = DiskStorage._body_of

    def body_of(self: Any, checkpoint: Any) -> Any:
        checkpoint = checkpoint._replace(state=checkpoint.state._replace(gained=0, lost=0))
        return right(self, checkpoint)

    patch.setattr(DiskStorage, "_body_of", body_of)


def user_state_not_rolled_back(patch: pytest.MonkeyPatch) -> None:
    right = TickMember.restore

    def restore(self: Any) -> None:
        if self.before is not None:
            now = saved_state(self.instance.context)
            self.before = self.before._replace(user_state=now)
        right(self)

    patch.setattr(TickMember, "restore", restore)


def begins_at_the_time_of_our_own_clock(patch: pytest.MonkeyPatch) -> None:
    async def our_own(self: Any, run: Any) -> int:
        return int(self._clock.now())

    patch.setattr(startup.Startup, "_exchange_time", our_own)
    patch.setattr(startup, "newest_close", lambda now, last: floor_to(now))


def stays_in_the_future(patch: pytest.MonkeyPatch) -> None:
    async def say_nothing(self: Any, run: Any) -> None:
        return None

    patch.setattr(startup.Startup, "put_back", say_nothing)


def unreadable_requests_let_entries_pass(patch: pytest.MonkeyPatch) -> None:
    right = DiskStorage.poll
    patch.setattr(DiskStorage, "poll", lambda self: right(self)._replace(unreadable=""))


def unreadable_requests_stop_exits(patch: pytest.MonkeyPatch) -> None:
    right = DiskStorage.poll

    def poll(self: Any) -> Any:
        found = right(self)
        if found.unreadable:
            raise StateError(found.unreadable)
        return found

    patch.setattr(DiskStorage, "poll", poll)


def failed_requests_wait_for_the_next_minute(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(RequestTimes, "missed", lambda self, now, retry_after_s=0.0: self.give_up(now))


def late_candles_wait_for_the_next_minute(patch: pytest.MonkeyPatch) -> None:
    right = RequestTimes.missed

    def missed(self: Any, now: int, retry_after_s: float = 0.0) -> None:
        if self.tries >= self._rules.candle_retries:
            self.give_up(now)
        else:
            right(self, now, retry_after_s)

    patch.setattr(RequestTimes, "missed", missed)


def changed_candles_not_looked_for(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Revisions, "note", lambda self, known, rows: None)


def changed_candles_not_told(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(TickMember, "events_of_warnings", lambda self, warnings: [])


RULES: dict[str, Off] = {
    rule.__name__: rule
    for rule in (
        no_rollback_after_a_failed_commit,
        publish_before_commit,
        folder_not_synced,
        no_bak,
        numbers_begin_anew,
        entries_in_the_past,
        late_exits_at_the_latest_price,
        cursor_not_saved,
        catch_up_skipped,
        outbox_not_completed_in_the_journal,
        risk_book_not_shared,
        command_obeyed_twice_after_a_crash,
        request_obeyed_again_and_again,
        milestones_not_saved,
        user_state_not_rolled_back,
        unreadable_requests_let_entries_pass,
        unreadable_requests_stop_exits,
        begins_at_the_time_of_our_own_clock,
        stays_in_the_future,
    )
}
