"""The queue of a notification service: bounded, in order, and it never waits for the service."""

from __future__ import annotations

import threading

import pytest

from tests.live.fast import until
from tradenb.bus import Bus
from tradenb.clock import SystemClock
from tradenb.core.events import Event
from tradenb.live.loop.notify import Notifier
from tradenb.live.notifications.message_text import event_line, message
from tradenb.live.notifications.sender import Sender
from tradenb.testing import InlineWorkers

MANY = 100_000


class Held:
    """A service that hangs until it is let go, and fails as often as it is told to."""

    def __init__(self, *, hangs: bool = False, failures: int = 0) -> None:
        self.bodies: list[str] = []
        self.again: list[bool] = []
        self.failures = failures
        self.reached = threading.Event()
        self.open = threading.Event()
        if not hangs:
            self.open.set()

    def send(self, title: str, body: str, *, again: bool) -> bool:
        self.reached.set()
        self.open.wait(240)
        self.again.append(again)
        if self.failures:
            self.failures -= 1
            return False
        self.bodies.append(body)
        return True


@pytest.fixture
def make_sender():
    made = []

    def make(service, **more):
        more = {"pause_s": 0.0, "retry_s": (0.0, 0.0)} | more
        sender = Sender("test", service, lambda batch: [str(item) for item in batch], **more)
        sender.start()
        made.append((service, sender))
        return sender

    yield make
    for service, sender in made:
        service.open.set()
        assert sender.close(60)


def test_what_is_offered_is_delivered_in_order(make_sender):
    service = Held()
    sender = make_sender(service)
    for number in range(50):
        sender.offer(str(number))
    assert sender.close(60)
    assert "\n".join(service.bodies).splitlines() == [str(number) for number in range(50)]
    assert (sender.sent, sender.dropped, sender.failed) == (50, 0, 0)


def test_of_what_is_too_much_for_a_service_that_hangs_the_oldest_is_left_out_and_counted(
    make_sender,
):
    service = Held(hangs=True)
    sender = make_sender(service, length=10)
    sender.offer("first")
    assert service.reached.wait(240)
    for number in range(MANY):
        sender.offer(str(number))
    assert sender.dropped == MANY - 10
    service.open.set()
    assert sender.close(60)
    assert service.bodies[0] == "first"
    left_out, *rest = service.bodies[1].splitlines()
    assert left_out == f"{MANY - 10:,} messages left out: the service was too slow"
    assert rest == [str(number) for number in range(MANY - 10, MANY)]


@pytest.mark.no_cover
def test_a_hundred_thousand_events_to_a_service_that_hangs_take_no_thread_and_no_deadline(
    make_sender,
):
    service, workers, bus = Held(hangs=True), Counted(), Bus()
    sender = make_sender(service)
    bus.subscribe(sender.offer, mode="live", immediate=True)
    notifier = Notifier(SystemClock(), workers, bus)
    event = Event(1, 60_000, "BTCUSDT", "dip", "opened", mode="live")
    publishing = notifier.publish([event] * MANY)
    # Nothing in it waits: the coroutine comes to its end in one step, with the service still held.
    with pytest.raises(StopIteration):
        publishing.send(None)
    assert workers.calls == 0
    assert not service.open.is_set()
    assert sender.dropped >= MANY - 2_000


class Counted(InlineWorkers):
    """Workers that count their calls."""

    calls = 0

    async def call(self, function, *args, seconds):
        self.calls += 1
        return await super().call(function, *args, seconds=seconds)


def test_what_failed_is_tried_again_to_the_services_that_did_not_take_it(make_sender):
    service = Held(failures=2)
    sender = make_sender(service)
    sender.offer("a")
    until(lambda: service.bodies, "the message")
    assert service.bodies == ["a"]
    assert service.again == [False, True, True]


def test_what_cannot_be_delivered_is_counted_and_the_next_message_says_so(make_sender):
    service = Held(failures=3)
    sender = make_sender(service)
    sender.offer("a")
    until(lambda: sender.failed, "the failure")
    sender.offer("b")
    until(lambda: service.bodies, "the next message")
    assert service.bodies == ["1 message could not be delivered\nb"]
    assert (sender.sent, sender.failed) == (1, 1)


def test_a_service_that_raises_ends_nothing(make_sender, caplog):
    class Broken(Held):
        def send(self, title, body, *, again):
            if body == "a":
                raise RuntimeError("broken")
            return super().send(title, body, again=again)

    service = Broken()
    sender = make_sender(service)
    sender.offer("a")
    until(lambda: "notifications failed" in caplog.text, "the log")
    sender.offer("b")
    until(lambda: service.bodies, "the next message")
    assert service.bodies == ["b"]


def test_a_closed_sender_still_delivers_what_waits_and_waits_for_no_retry(make_sender):
    service = Held(hangs=True, failures=1)
    sender = make_sender(service, pause_s=600.0, retry_s=(600.0,))
    sender.offer("a")
    assert service.reached.wait(240)
    sender.offer("b")
    assert not sender.close(0.0)
    service.open.set()
    assert sender.close(60)
    assert service.bodies == ["1 message could not be delivered\nb"]


def test_a_burst_is_messages_of_twenty_lines(make_sender):
    service = Held(hangs=True)
    sender = make_sender(service)
    sender.offer("first")
    assert service.reached.wait(240)
    for number in range(50):
        sender.offer(str(number))
    service.open.set()
    assert sender.close(60)
    assert [len(body.splitlines()) for body in service.bodies] == [1, 20, 20, 10]
    assert message(["a", "b"]) == ("tradenb: 2 messages", "a\nb")


def test_words_of_users_stay_in_one_line_of_a_bounded_length():
    note = "a\x1b[31m\nb " + 1_000 * "c"
    line = event_line(Event(1, 60_000, "BTCUSDT", "dip", "error", note=note))
    assert line.startswith("BTCUSDT:dip error: a [31m b ccc")
    assert len(line) == 300
