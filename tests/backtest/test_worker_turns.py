"""A worker that makes calls again by itself, and the thread that watches it, in many orders.

Each look of either at what they share is a step. The test lets one of them go on at a time, and
tries every order in which they are held up at most three times.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

from tradenb.backtest.driver import Worker
from tradenb.engine.call import Call, StrategyTimeout

CALLS = 3
MOST_SWITCHES = 3


class Turns:
    """Lets one of two threads make a step at a time: `order` says which, where both could."""

    def __init__(self, order: list[int]) -> None:
        self.order = order
        self.switches: list[int] = []
        self._changed = threading.Condition()
        self._numbers: dict[int, int] = {}
        self._waiting: dict[int, bool] = {}
        self._left = 2
        self._turn = -1

    @property
    def here(self) -> int:
        """Number of this thread."""
        return self._numbers[threading.get_ident()]

    def begin(self, number: int, job: Callable[[], object]) -> None:
        def work() -> None:
            self._numbers[threading.get_ident()] = number
            self.step()
            try:
                job()
            finally:
                with self._changed:
                    self._left -= 1
                    self._changed.notify_all()

        threading.Thread(target=work, daemon=True).start()

    def step(self, *, blocked: bool = False) -> None:
        """Wait for a turn; `blocked`: the other one has to make a step first."""
        number = self.here
        with self._changed:
            self._waiting[number] = blocked
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._turn == number)
            self._turn = -1

    def give(self) -> None:
        """Give turns until both have ended; go on with the same one where nothing is said."""
        last = 0
        while True:
            with self._changed:
                assert self._changed.wait_for(self._is_still, timeout=200)
                if not self._left:
                    return
                free = [number for number, blocked in self._waiting.items() if not blocked]
                free = free or [*self._waiting]
                number = last if last in free else free[0]
                if len(free) == 2:
                    place = len(self.switches)
                    number ^= place < len(self.order) and self.order[place]
                    self.switches.append(number != last)
                del self._waiting[number]
                self._waiting = dict.fromkeys(self._waiting, False)  # it may go on after this step
                self._turn = last = number
                self._changed.notify_all()

    def _is_still(self) -> bool:
        return self._turn == -1 and len(self._waiting) == self._left


class Lock:
    """A lock whose taking is a step."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._is_taken = False

    def __enter__(self) -> None:
        self._turns.step()
        while self._is_taken:
            self._turns.step(blocked=True)
        self._is_taken = True

    def __exit__(self, *_: object) -> None:
        self._is_taken = False


def shared(name: str) -> Any:
    """An attribute of a worker; to look at it and to change it are steps."""

    def get(worker: Any) -> Any:
        worker.turns.step()
        return worker.__dict__[name]

    def put(worker: Any, value: object) -> None:
        if "turns" in worker.__dict__:
            worker.turns.step()
        worker.__dict__[name] = value

    return property(get, put)


class Watched(Worker):
    call = shared("call")
    served = shared("served")
    _interrupted = shared("_interrupted")
    _abandoned = shared("_abandoned")

    def prepare(self, turns: Turns) -> Watched:
        self._lock: Any = Lock(turns)
        self.turns = turns
        return self


class LooksFirst(Watched):
    """A mistake: it looks whether the call is over before it says that it does."""

    def abandon(self, served: int) -> bool:
        with self._lock:
            here = self.call is not None and self.served == served
            self._interrupted = self._abandoned = here
        return here


def life(kind: type[Watched], order: list[int]) -> tuple[Turns, list[tuple[int, str]]]:
    """Serve calls and abandon one of them; return what happened, with the thread."""
    turns, told = Turns(order), list[tuple[int, str]]()

    def tell(what: str) -> None:
        turns.step()
        told.append((turns.here, what))

    def is_over() -> bool:
        return sum(what == "again" for _, what in told) == CALLS

    def again() -> bool:
        tell("again")
        return not is_over()

    def pump() -> Iterator[Any]:
        call = Call(lambda _: tell("call"), (0,), "a function", "BTCUSDT", again=again)
        try:
            reply = yield call
            while reply is None and not is_over() and again():  # as `RepeatedAsk.ask`
                reply = yield call
            tell("end")
        except StrategyTimeout:
            tell("timeout")

    one: Any = pump()
    worker = kind(one, threading.Event()).prepare(turns)

    def watch() -> None:
        served = worker.served
        if worker.call is not None and worker.abandon(served):
            told.append((1, "abandoned"))
            second = kind(one, threading.Event()).prepare(turns)
            second._first = StrategyTimeout("as the test says")
            serve(second)

    def serve(worker: Watched) -> None:
        try:
            worker._serve()
        except (ValueError, StrategyTimeout) as error:  # of a pump that is served by another
            told.append((turns.here, f"raised {error!r}"))

    turns.begin(0, lambda: serve(worker))
    turns.begin(1, watch)
    turns.give()
    return turns, told


def wrong(told: list[tuple[int, str]]) -> str:
    """What may not be, of what happened."""
    words = [what for _, what in told]
    if "abandoned" not in words:
        right = ["call", "again"] * CALLS + ["end"]
        return "" if words == right else f"not abandoned, and not as alone: {words}"
    # The call that was left behind may be at it still.
    after = [each for each in told[words.index("abandoned") + 1 :] if each != (0, "call")]
    return "" if after == [(1, "timeout")] else f"after it was abandoned: {after}"


def mistakes(kind: type[Watched]) -> tuple[int, set[str]]:
    """Live through all orders; return how many there were, and what was wrong."""
    lives, found, orders = 0, set[str](), [list[int]()]
    while orders:
        order = orders.pop()
        turns, told = life(kind, order)
        lives, found = lives + 1, found | {wrong(told)}
        if sum(order) < MOST_SWITCHES:
            places = range(len(order), len(turns.switches))
            orders += [[*order, *[0] * (place - len(order)), 1] for place in places]
    return lives, found - {""}


def test_no_order_of_steps_lets_two_threads_serve_one_pump():
    lives, found = mistakes(Watched)
    assert lives > 1_000
    assert found == set()


def test_the_orders_show_a_watcher_that_looks_before_it_speaks():
    _, found = mistakes(LooksFirst)
    assert any(words.startswith("after it was abandoned") for words in found)
