"""`tn.arm` and `tn.disarm`: a person allows the runs of an account to send entries."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

from tradenb.brokers.arming.account_share import RunShare, every_share, summed
from tradenb.brokers.arming.arm_file import read_arm, trip, write_arm
from tradenb.brokers.arming.arm_target import ArmTarget, RunHandle, arm_target, disarm_target
from tradenb.brokers.arming.arm_terms import ArmTerms, arm_terms, too_dear, too_many
from tradenb.brokers.arming.one_time_code import show_code, use_code
from tradenb.brokers.broker import Broker
from tradenb.brokers.broker_file import recorded_account, recorded_broker
from tradenb.brokers.checking.preflight_reading import looked_at
from tradenb.brokers.checking.venue_file import venue_trouble
from tradenb.call_errors import explained
from tradenb.clock import wall_ms
from tradenb.core.orders.order_records import ZERO
from tradenb.core.timeframe import TimeLike, iso
from tradenb.errors import StateError, UsageError, shown
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.lock import FileLock
from tradenb.store.ownership import name_of, refuse_foreign
from tradenb.store.paths import Home

LOCK_S: Final = 10.0
NOT_LOOKED_AT: Final = (
    "Key, balance, market and clock were not looked at: the keys are not at hand here."
)


@dataclass(frozen=True, repr=False)
class ArmAnswer:
    """What came of `tn.arm` or `tn.disarm`; a cell shows its words.

    Attributes
    ----------
    armed : bool
        Whether this call armed the account.
    account : str
    words : str
    code : str
        What arms it, if one was shown; "" else.
    would : str
        What is possible once it is armed.
    """

    armed: bool
    account: str
    words: str
    code: str = ""
    would: str = ""

    def __bool__(self) -> bool:
        """Tell whether this call armed the account."""
        return self.armed

    def __repr__(self) -> str:
        return self.words


@explained("tn.arm")
def arm(
    run_or_account: RunHandle | str,
    *,
    max_order: float | Decimal,
    max_total: float | Decimal,
    max_open: int,
    max_daily_loss: float | Decimal,
    until: str | TimeLike = "8h",
    orders_an_hour: int = 60,
    code: str | None = None,
    unchecked: bool = False,
    home: str | Path | None = None,
) -> ArmAnswer:
    """Allow the runs of an account to send entries, within limits and for a while.

    Without `code` nothing is armed: the answer says what would be possible, and shows a code of six
    letters. The same call with that code arms, once and within ten minutes. So running all cells of
    a notebook again arms nothing.

    Parameters
    ----------
    run_or_account : LiveRun, AttachedRun or str
        A run, its name such as "BTCUSDT:dip", or an account such as "live:binance:1a2b3c4d". Armed
        are all runs that its account has now; a run that is started later needs it anew.
    max_order, max_total : float
        Most that one order, and all open positions together, may cost, in quote currency.
    max_open : int
        Most positions at a time.
    max_daily_loss : float
        After such a loss in a UTC day, realised and open, the account is disarmed. The loss counts
        until 00:00 UTC: on the same day it is armed again with a higher limit alone.
    until : str, datetime or Timestamp, default "8h"
        A span such as "8h" or "2d", or a moment; 7 days from now at most.
    orders_an_hour : int, default 60
        Most orders in an hour, protective ones included; more disarm the account.
    code : str, optional
        The code that the same call has shown.
    unchecked : bool, default False
        Arm a live account whose exchange failed `tradenb venue-check`, or had none for 30 days.
    home : str or Path, optional
        Folder of the state; default that of the run, else TRADENB_HOME or ./dump.

    Returns
    -------
    ArmAnswer
        True if the account is armed now; a cell shows what happened, and what to do.

    Raises
    ------
    UsageError
        When a limit is not valid, what the account lost today or ordered within the hour would
        disarm it at once, no run has the account, it
        is a paper run, the exchange of a live account was not checked, or something is wrong there:
        rights of the key, balance, market, clock. These are looked at where the keys of the account
        are known and can be read.
    ExchangeError
        When the exchange does not answer.
    StateError
        When a file cannot be read or written, or the home belongs to another user.

    Examples
    --------
    >>> import tempfile
    >>> import tradenb as tn
    >>> @tn.strategy("allowed", every="5m")
    ... def allowed(ctx):
    ...     return tn.long(**tn.bracket(stop=1, target=2), minutes=60)
    >>> candles = tn.testing.random_walk(seed=7, days=2)
    >>> limits = {"max_order": 100, "max_total": 200, "max_open": 2, "max_daily_loss": 20}
    >>> with tn.testing.ExchangeServer(
    ...     candles, now="2024-01-02T12:00", balances={"USDT": 1_000}
    ... ) as server:
    ...     run = tn.live.background(
    ...         "BTCUSDT",
    ...         strategy=allowed,
    ...         exchange=server.exchange(),
    ...         broker=server.broker(tn.Account(cash=1_000, quote=50)),
    ...         home=tempfile.mkdtemp(),
    ...     )
    ...     shown = tn.arm(run, **limits)
    ...     armed = tn.arm(run, **limits, code=shown.code)  # you type the code that was shown
    ...     run.release()
    ...     ended = run.wait(30)
    >>> bool(shown), len(shown.code), bool(armed), ended
    (False, 6, True, True)
    """
    disk = DiskFilesystem()
    target = arm_target(disk, run_or_account, home)
    terms = arm_terms(
        target.account,
        target.symbols,
        target.strategies,
        max_order=max_order,
        max_total=max_total,
        max_open=max_open,
        max_daily_loss=max_daily_loss,
        until=until,
        orders_an_hour=orders_an_hour,
    )
    trouble = venue_trouble(disk, target.home, target.account, wall_ms())
    if trouble and not unchecked:
        raise UsageError(f"{trouble}, or pass unchecked=True")
    terms = terms._replace(unchecked=bool(trouble))
    broker = getattr(run_or_account, "broker", None)
    money = broker.account if broker else recorded_account(disk, target.home, target.account)
    unsure = (*too_dear(money, terms.max_order), *_preflight(disk, target, broker))
    if not isinstance(code, str | None):
        raise UsageError(f"code must be the six letters that were shown, was {shown(code)}")
    return armed(disk, target, terms, code, wall_ms(), unsure)


@explained("tn.disarm")
def disarm(run_or_account: RunHandle | str, *, home: str | Path | None = None) -> ArmAnswer:
    """End the permission of an account to send entries, now; protection and exits go on.

    Parameters
    ----------
    run_or_account : LiveRun, AttachedRun or str
        As for `tn.arm`.
    home : str or Path, optional
        As for `tn.arm`.

    Returns
    -------
    ArmAnswer
        Never true; a cell shows what happened.

    Raises
    ------
    UsageError
        When no run has the account and it is not armed.
    StateError
        When a file cannot be read or written.

    Examples
    --------
    >>> import tempfile
    >>> import tradenb as tn
    >>> @tn.strategy("forbidden again", every="5m")
    ... def forbidden_again(ctx):
    ...     return tn.long(**tn.bracket(stop=1, target=2), minutes=60)
    >>> candles = tn.testing.random_walk(seed=7, days=2)
    >>> limits = {"max_order": 100, "max_total": 200, "max_open": 2, "max_daily_loss": 20}
    >>> with tn.testing.ExchangeServer(
    ...     candles, now="2024-01-02T12:00", balances={"USDT": 1_000}
    ... ) as server:
    ...     run = tn.live.background(
    ...         "BTCUSDT",
    ...         strategy=forbidden_again,
    ...         exchange=server.exchange(),
    ...         broker=server.broker(tn.Account(cash=1_000, quote=50)),
    ...         home=tempfile.mkdtemp(),
    ...     )
    ...     shown = tn.arm(run, **limits)
    ...     armed = tn.arm(run, **limits, code=shown.code)  # you type the code that was shown
    ...     answer = tn.disarm(run)
    ...     run.release()
    ...     ended = run.wait(30)
    >>> bool(armed), bool(answer), ended
    (True, False, True)
    """
    disk = DiskFilesystem()
    now = wall_ms()
    place, account = disarm_target(disk, run_or_account, home, now)
    refuse_foreign(place)
    ended = trip(disk, place, account, f"{_person()} disarmed it", now, by_hand=True)
    words = "is disarmed; stops and exits go on" if ended else "was not armed"
    return ArmAnswer(armed=False, account=account, words=f"{account} {words}")


def armed(
    disk: DiskFilesystem,
    target: ArmTarget,
    terms: ArmTerms,
    code: str | None,
    now: int,
    unsure: Iterable[str] = (),
) -> ArmAnswer:
    """Show a code for these terms, or arm by one; `now` is ms UTC, `unsure` what is not known."""
    home, account = target.home, target.account
    refuse_foreign(home)
    unsure = (*unsure,)
    so_far = _so_far(disk, home, account, now)
    many = too_many(terms, so_far.sent, so_far.unknown, so_far.at)
    if many:
        raise UsageError(f"{account} cannot be armed: {many}")
    lost = max(-so_far.day_result, ZERO).normalize()
    if lost >= terms.max_daily_loss:
        raise UsageError(
            f"{account} cannot be armed: {lost:f} were lost today, and with max_daily_loss="
            f"{terms.max_daily_loss:f} it is disarmed at once; say max_daily_loss above {lost:f}, "
            "or wait until 00:00 UTC"
        )
    loss = f"{lost:f} of max_daily_loss {terms.max_daily_loss:f} were lost today" if lost else ""
    would = "\n  ".join(filter(None, (terms.words(now), loss, *unsure)))
    if code is None:
        shown_code = show_code(disk, home, account, terms.text, now)
        words = (
            f"{would}\nNothing is armed yet. To allow this, make the same call with "
            f'code="{shown_code}" within 10 minutes; the code is good once.'
        )
        return ArmAnswer(armed=False, account=account, words=words, code=shown_code, would=would)
    lock = FileLock(disk, home.arm_lock(account), what=f"account {account}")
    lock.acquire_within(LOCK_S)
    try:
        before = read_arm(disk, home, account)
        why_not = use_code(disk, home, account, terms.text, code, now, ended_at=before.tripped_at)
        if why_not:
            return ArmAnswer(False, account, f"{account} was not armed: {why_not}")
        permission = terms.arm(now, _person())
        write_arm(disk, home, permission, unchecked=terms.unchecked)
    finally:
        lock.release()
    blind = any(each.startswith(NOT_LOOKED_AT) for each in unsure)
    but = ", without a look at key, balance, market and clock" if blind else ""
    but += f"; {loss}" if loss else ""
    words = f"{would}\nArmed at {iso(now)} UTC{but}. End it with tn.disarm or `tradenb disarm`."
    return ArmAnswer(armed=True, account=account, words=words)


def _so_far(disk: DiskFilesystem, home: Home, account: str, now: int) -> RunShare:
    """Return what the runs of an account did on this UTC day and in the last hour.

    A share that cannot be read counts as none; entries wait for it. The clock of an exchange on
    loopback may be another one.
    """
    shares = [each for name, _, each in every_share(disk, home) if each and name == account]
    if account.split(":")[1:2] == ["loopback"]:
        now = max((each.at for each in shares), default=now)
    return summed(shares, now)


def _preflight(disk: DiskFilesystem, target: ArmTarget, broker: Broker | None) -> tuple[str, ...]:
    """Look at the account if its keys are at hand; return what is not known of it.

    Raises
    ------
    UsageError
        When something is wrong there.
    """
    if broker is None:
        try:
            broker = recorded_broker(disk, target.home, target.account)
        except StateError:
            return (NOT_LOOKED_AT,)
        except UsageError as error:  # a variable that is not set here
            return (f"{NOT_LOOKED_AT} {error}.",)
    if broker.connect is not None:
        return (NOT_LOOKED_AT,)
    shares = every_share(disk, target.home)
    invested = (
        share.invested for account, _, share in shares if share and account == target.account
    )
    problems, unsure = looked_at(broker, target.symbols, sum(invested, ZERO))
    if problems:
        raise UsageError(f"{target.account} cannot be armed: {'; '.join(problems)}")
    return unsure


def _person() -> str:
    return f"{name_of(os.geteuid())} on {os.uname().nodename}"
