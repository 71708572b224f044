"""`RunRecord`: what the loop knows of one live run, and what it works on.

A user holds a `LiveRun` instead, which shows a part of it and passes commands on. Only the loop's
thread changes a record; the methods for other threads say so.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Literal

from tradenb.brokers.broker import Broker
from tradenb.brokers.day_result import day_result
from tradenb.core.events import Event
from tradenb.core.lifecycle.exchange_route import desired_position
from tradenb.core.lifecycle.state import Command, State
from tradenb.core.money.account import Account
from tradenb.core.orders.ledger import OrderLedger
from tradenb.core.orders.order_alarms import OF_THE_PROCESS, Alarm
from tradenb.core.orders.order_records import DesiredPosition
from tradenb.core.prices import market_price
from tradenb.core.risk import Held
from tradenb.core.rules import Rules
from tradenb.core.timeframe import MINUTE, floor_to
from tradenb.engine.history.windows import Histories
from tradenb.engine.past_code import PastCode
from tradenb.engine.ports import Clock, LiveSource
from tradenb.engine.session.instance import Instance
from tradenb.engine.session.queues import Callback
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.errors import StateError, UsageError
from tradenb.live.arrival.arrival_record import ArrivalRecord
from tradenb.live.loop.feed import Feed
from tradenb.live.loop.tick_result import Tick
from tradenb.live.state.checkpoint import Checkpoint
from tradenb.live.state.control_requests import Asked, Decision, standing
from tradenb.live.state.disk_storage import DiskStorage
from tradenb.live.state.expected_band import kept_band
from tradenb.live.state.kept_rules import rules_for
from tradenb.live.state.recorder import Recorder
from tradenb.statistics.expectation import Band
from tradenb.store.paths import Key

log = logging.getLogger("tradenb")

Status = Literal["idle", "running", "done"]
KEPT_TICKS: Final = 10_000
UNREADABLE: Final = "a request cannot be read"


@dataclass(eq=False)
class RunRecord:
    """One live run as the loop works on it."""

    symbol: str
    spec: StrategySpec
    source: LiveSource
    rules: Rules
    storage: DiskStorage
    clock: Clock
    wake: Callable[[], None]
    account: Account | None = None
    broker: Broker | None = None
    strategy: str = field(init=False)
    id: str = field(init=False)
    on_loop: Callable[[], bool] = field(default=lambda: False, init=False)
    code: PastCode = field(init=False)
    recorder: Recorder = field(init=False)
    status: Status = field(default="idle", init=False)
    ended: threading.Event = field(default_factory=threading.Event, init=False)
    saved: bool = field(default=True, init=False)
    error: BaseException | None = field(default=None, init=False)
    unreadable: StateError | None = field(default=None, init=False)
    _unreadable_files: str = field(default="", init=False)
    # What it consists of once it has begun.
    instance: Instance | None = field(default=None, init=False)
    feed: Feed | None = field(default=None, init=False)
    histories: Histories = field(init=False)
    arrival: ArrivalRecord = field(default_factory=ArrivalRecord, init=False)
    # Symbols that it only reads, with their feeds once they are followed; see `read_symbols`.
    reads: dict[str, Feed | None] = field(default_factory=dict, init=False)
    wanted: list[str] = field(default_factory=list, init=False)
    last_ticks: deque[Tick] = field(init=False)
    start: int = field(default=0, init=False)
    history_start: int = field(default=0, init=False)
    next_at: int = field(default=0, init=False)
    last_tick_s: float = field(default=0.0, init=False)
    measured_at: int | None = field(default=None, init=False)
    loop_restarts: int = field(default=0, init=False)
    # How it came about, for those who look at it.
    code_at: int = field(init=False)
    note: str = field(default="", init=False)
    # What the user wants of it.
    commands: deque[Asked] = field(default_factory=deque, init=False)
    uncommitted: list[Asked] = field(default_factory=list, init=False)
    tick_now: bool = field(default=False, init=False)
    releasing: bool = field(default=False, init=False)
    undecided: bool = field(default=False, init=False)
    decision: Decision | None = field(default=None, init=False)
    # What is on disk, and what follows from it.
    checkpoint: Checkpoint | None = field(default=None, init=False)
    place: int = field(default=0, init=False)
    committed: State | None = field(default=None, init=False)
    outbox: list[Event] = field(default_factory=list, init=False)
    callbacks: list[Callback] = field(default_factory=list, init=False)
    published_seq: int = field(default=0, init=False)
    # Its orders: one at a time changes the ledger and commits, the tick or the order manager.
    ledger: OrderLedger | None = field(default=None, init=False)
    alarms: tuple[Alarm, ...] = field(default=(), init=False)
    order_news: list[Event] = field(default_factory=list, init=False)
    commit_lock: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    wake_orders: Callable[[], None] | None = field(default=None, init=False)
    quiet_ms: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.strategy, self.id = self.spec.name, f"{self.symbol}:{self.spec.name}"
        self.spec = self.spec.model_copy()  # indicators declared later are those of the next start
        self.code = PastCode(self.spec)
        self.recorder = Recorder(
            self.storage, self.code, self.source.name, self.rules, self.account
        )
        self.histories = Histories(self._note_wanted)
        self.last_ticks = deque(maxlen=KEPT_TICKS)
        self.code_at = self.clock.now()

    @property
    def state(self) -> State | None:
        """What is on disk, once there was a commit; before that what it begins with."""
        if self.committed is not None:
            return self.committed
        if self.instance is not None:
            return self.instance.state
        kept = None if self.checkpoint is None else self.checkpoint.state
        return None if kept is None or kept.done else kept

    @cached_property
    def band(self) -> Band | None:
        """The band that it is held against; read once, and set by `run.expect`."""
        key = Key(self.strategy, self.symbol)
        return kept_band(self.storage.filesystem, self.storage.files, key)

    @property
    def rules_in_force(self) -> Rules:
        """What is open keeps the rules that it was opened with; see `kept_rules`."""
        if self.instance is not None:
            return self.instance.rules
        return rules_for(self.checkpoint, self.rules)

    @property
    def sends_orders(self) -> bool:
        """Whether an exchange fills it; else candles do."""
        return self.broker is not None and self.broker.sends_orders

    @property
    def reads_account(self) -> bool:
        """Whether its broker has a key: it sends orders, or has them checked."""
        return self.broker is not None and self.broker.reads_account

    @property
    def desired(self) -> DesiredPosition | None:
        """What the state on disk wants at the exchange; None while there is none to go by.

        The kill switch closes without a candle.
        """
        if self.ledger_name is None:
            return None
        state = self._on_disk
        if state is None:
            return None
        wanted = desired_position(state)
        if self.storage.kill == "flatten" and wanted.want in ("enter", "hold"):
            # At once; the state hears of it by what the orders report.
            return wanted._replace(want="exit", since=self.clock.now(), reason="flattened")
        return wanted

    @property
    def known_ledger(self) -> OrderLedger | None:
        """Its orders; before the order manager has begun those that it was opened with.

        The document of another account has none of them.
        """
        kept = self.checkpoint
        if self.ledger or kept is None or kept.orders_of != self.storage.orders_of:
            return self.ledger
        return kept.ledger

    @property
    def heard(self) -> int:
        """The last report of orders that acted in the state on disk."""
        state = self._on_disk
        return 0 if state is None or state.execution is None else state.execution.heard

    def day_result(self, now: int) -> float:
        """Return what it made since midnight UTC, realised and open, quote currency."""
        return day_result(self._on_disk, self.known_ledger, self.last_price, now)

    @property
    def last_price(self) -> float | None:
        """Market price at the newest close that it has seen."""
        instance = self.instance
        if instance is None:
            return None if self.checkpoint is None else self.checkpoint.price
        row = instance.candles.index(instance.state.cursor)
        inside = 0 <= row < len(instance.candles)
        return market_price(instance.candles, row, instance.rules) if inside else None

    @property
    def ledger_name(self) -> str | None:
        """What no other run has, in the ids of its orders; None before its first commit."""
        start = self.start or (0 if self.checkpoint is None else self.checkpoint.start)
        known = start and self._on_disk is not None
        return f"{self.storage.orders_of} {self.symbol} {self.strategy} {start}" if known else None

    @property
    def _on_disk(self) -> State | None:
        if self.committed is not None or self.checkpoint is None:
            return self.committed
        return (
            self.checkpoint.state if self.checkpoint.orders_of == self.storage.orders_of else None
        )

    @property
    def warnings(self) -> list[str]:
        """What is wrong with it that other processes can read in no document."""
        alarms = [alarm.text for alarm in self.alarms if alarm.name in OF_THE_PROCESS]
        return [*self.arrival.warnings.values(), *alarms]

    @property
    def starting(self) -> bool:
        """Whether it was started and has no candles yet."""
        return self.status == "running" and self.instance is None

    @property
    def held(self) -> Held | None:
        """The signal that is open or scheduled."""
        return None if self.state is None else self.state.held

    @property
    def cursor(self) -> int:
        """Newest close that it has seen, ms UTC; 0 before it has begun."""
        return 0 if self.instance is None else self.instance.state.cursor

    @property
    def is_empty(self) -> bool:
        """Whether it holds nothing to follow."""
        return self._latest is None or self._latest.signal is None

    @property
    def pending_commands(self) -> tuple[Command, ...]:
        """The commands that have not acted yet, in the order in which they were given."""
        # The queue first: a command that moves from it to the state meanwhile is found twice.
        asked = [*self.commands]
        state = self._latest
        known = () if state is None or state.done else state.commands
        given = [*(each for each in known if each.kind != "report"), *asked]
        found = standing(given)
        return tuple(each for place, each in enumerate(found) if each not in found[:place])

    @property
    def stopping(self) -> bool:
        """Whether a graceful stop was given and the run has not ended yet."""
        state = self._latest
        if state is not None and (state.stopping or state.done):
            return not state.done
        return any(command.kind == "stop" for command in self.pending_commands)

    @property
    def _latest(self) -> State | None:
        """What the run is in memory; before it has begun, what it was opened with."""
        if self.instance is not None:
            return self.instance.state
        return None if self.checkpoint is None else self.checkpoint.state

    @property
    def ending(self) -> bool:
        """Whether it is about to end: released, or stopped with nothing to follow."""
        if self.status != "running" or self.releasing:
            return True
        state = None if self.instance is None else self.instance.state
        stops = any(command.kind == "stop" for command in [*self.commands])
        if state is None:
            return stops and self.is_empty
        return state.done or ((stops or state.stopping) and state.signal is None)

    def note_unreadable(self, files: str) -> None:
        """Note which requests cannot be read, or that all can; the next commit tells of news."""
        if files == self._unreadable_files:
            return
        if self.error is self.unreadable:
            self.error = None
        self._unreadable_files = files
        self.unreadable = None
        if files:
            words = (
                f"{UNREADABLE}: {files}. No entries are made until it can be read; exits go on. "
                "Make it readable for the user who runs this, or remove it"
            )
            self.error = self.unreadable = StateError(words)
            self.arrival.untold.append((floor_to(self.clock.now()), words))
            log.warning("%s: %s", self.id, words)

    def set_status(self, status: Status) -> None:
        """Change the status, and wake those who wait for the end."""
        self.status = status
        if status == "running":
            self.ended.clear()
        else:
            self.ended.set()

    def accept(self, command: Asked) -> None:
        """Accept a command, which is obeyed at a tick that is made now; from any thread."""
        self.commands.append(command)
        self.poll()

    def poll(self) -> None:
        """Tick at once, which also looks for requests that were left as files; any thread."""
        self.tick_now = True
        self.wake()

    def release(self) -> None:
        """Let the loop give the run back; from any thread."""
        self.releasing = True
        self.wake()

    def decide(self, decision: Decision) -> None:
        """Say which state holds after a conflict; from any thread."""
        self.decision = decision
        self.poll()

    def _note_wanted(self, symbol: str) -> Any:
        """Note that an ask reads a symbol for the first time; it is dropped, and made again."""
        self.wanted.append(symbol)
        raise UsageError(f"the candles of {symbol} are fetched now; this ask is made again")

    def forget(self) -> None:
        """Forget what is in memory; the run begins again from what it was opened with."""
        self.instance, self.feed, self.committed = None, None, None
        self.reads = dict.fromkeys(self.reads)
        self.outbox, self.callbacks, self.saved = [], [], True
        self.recorder = Recorder(
            self.storage, self.code, self.source.name, self.rules, self.account
        )
        # What the user asked for meanwhile is asked of the state that holds.
        self.commands.extendleft(reversed(self.uncommitted))
        self.uncommitted = []


def due_after(now: int, rules: Rules, first_ms: int = 0) -> int:
    """Return when the next candle can be fetched: closed, settled and usually there, ms UTC."""
    settle = max(1 + round(rules.settle_seconds * 1000), first_ms)
    return floor_to(now - settle) + MINUTE + settle
