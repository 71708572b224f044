"""What a user should know before trusting the figures of a backtest, in sentences."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from tradenb.core.money.funding import charges
from tradenb.core.signal import Signal
from tradenb.core.timeframe import iso
from tradenb.engine.session.pump import Session
from tradenb.view.conduct.ask_words import idle_wait_words, waited_idly, was_reached
from tradenb.view.formatting import plural
from tradenb.view.gap_notes import coarse_note, gap_notes

if TYPE_CHECKING:
    from tradenb.core.events import Event
    from tradenb.core.signal import Trade
    from tradenb.view.event_frames import Coverages

_SMALL: Final = 0.1  # percent: less than the costs of most markets
_EQUITY: Final = "the account means {:g} % of the equity"
_COSTS: Final = "the rules means {:g} % of a fill"
_SHARES: Final = (  # name, of what, and the least that is no fraction
    ("percent", _EQUITY, 1),
    ("max_percent", _EQUITY, 1),
    ("risk", _EQUITY, _SMALL),
    ("funding_percent", "the account means {:g} % of what is open", 0.001),
    ("fee_percent", _COSTS, 0.01),
    ("slippage_percent", _COSTS, 0.002),
)
_LARGE_ADD: Final = 20  # first entries: more than strategies that double a few times add


def caveats(
    session: Session,
    trades: Sequence[Trade],
    *,
    open_count: int,
    asks_lost: int,
    troubled: Sequence[Event],
    coverage: Coverages,
    entered: Sequence[Event],
    cut: Sequence[float],
) -> list[str]:
    """Return the sentences, the most important first."""
    candles = {each.state.symbol: each.candles for each in session.instances}
    opened = [event for event in entered if event.kind == "opened"]
    pairs = [(event.at, event.signal) for event in opened if isinstance(event.signal, Signal)]
    signals = [signal for _, signal in pairs]
    return [
        *_errors(troubled),
        *_left_open(open_count),
        *_unanswered(session.timeouts, asks_lost),
        *_reached_entries(signals),
        *_small_trails(signals),
        *_small_shares(session),
        *_small_targets(signals),
        *_idle_waits(pairs),
        *_idle_sizes(session, trades),
        *_large_adds([event.fraction or 0 for event in entered if event.kind == "added"]),
        *_cut_sizes(cut),
        *_idle_funding(session),
        *gap_notes(candles, trades),
        *coarse_note(candles, trades),
        *_silent_indicators(coverage),
        *_early_entries(coverage, opened),
        *_invalid_candidates(troubled),
        *_compounded(session, trades),
    ]


def ruined(at: int) -> str:
    """Say that nothing is left."""
    return (
        f"ruined at {iso(at)}: from then on equity is 0, and yearly and daily figures are N/A; "
        "the trades after it are those of a strategy that had more money"
    )


def _errors(events: Sequence[Event]) -> Iterator[str]:
    notes = [event.note for event in events if event.kind == "error"]
    if notes:
        times = plural(len(notes), "error")
        yield f"{times} in your functions, see result.events; the first: {notes[0]}"


def _left_open(count: int) -> Iterator[str]:
    if count:
        yield (
            f"{count} still open or scheduled at the end: in the equity, not in the trades; "
            "see result.open"
        )


def _unanswered(timeouts: int, lost: int) -> Iterator[str]:
    """Count the calls that timed out, and those for which there was too little history."""
    if timeouts:
        calls = plural(timeouts, "call")
        yield f"not reproducible: {calls} of your functions timed out; see result.events"
    if lost:
        yield (
            f"{plural(lost, 'call')} found too little history (warm-up); pass a later start=, so "
            "that there is history before it"
        )


def _reached_entries(opened: Sequence[Signal]) -> Iterator[str]:
    """Count the limit entries that were reached when they were decided: they opened at once."""
    count = len([1 for signal in opened if was_reached(signal) and not signal.breakout])
    if count:
        yield (
            f"{_entries(count)} already reached and opened at the market price; for a breakout "
            "use breakout="
        )


def _idle_waits(opened: Sequence[tuple[int, Signal]]) -> Iterator[str]:
    """Say that `wait` changes nothing where no position of the run waited for an entry."""
    given = [(at, signal) for at, signal in opened if signal.wait is not None]
    if given and all(waited_idly(signal, at) for at, signal in given):
        yield idle_wait_words(given[0][1].wait, f" of {plural(len(given), 'position')}")


def _idle_sizes(session: Session, trades: Sequence[Trade]) -> Iterator[str]:
    """Say that sizes change nothing where there is no account."""
    sized = 0 if session.accounts else sum(trade.size is not None for trade in trades)
    if sized:
        yield (
            f"size= of {plural(sized, 'trade')} changes no figure without account=tn.Account(...): "
            "each is a percent of what its position cost"
        )


def _large_adds(amounts: Sequence[float]) -> Iterator[str]:
    """Name amounts of `add` that look like money; they count in first entries."""
    large = [amount for amount in amounts if amount >= _LARGE_ADD]
    if large:
        yield (
            f"amount={large[0]:g} of {plural(len(large), 'add')} means {large[0]:g} times the cost "
            "of the first entry; 1 adds as much again"
        )


def _cut_sizes(cut: Sequence[float]) -> Iterator[str]:
    if cut:
        yield (
            f"{_entries(len(cut))} cut to the money that was free, to {min(cut):.1%} of their size "
            "at the least; they count like the others in win rate, averages and profit factor"
        )


def _idle_funding(session: Session) -> list[str]:
    """Name the symbols for which historic funding has no time of the run."""
    held = {each.state.symbol: each for each in session.instances}
    return [
        f"funding= of the account charges {symbol} nothing from {iso(each.candles.start)} to "
        f"{iso(each.candles.end)}; {' '.join(account.funding) or 'no symbol'} has some"
        for symbol, each in held.items()
        if (account := each.account) is not None and account.funding is not None
        if not charges(account, symbol, each.candles.start, each.candles.end)
    ]


def _invalid_candidates(events: Sequence[Event]) -> Iterator[str]:
    """Say that candidates broke the rules; a run where all do looks like one without signals."""
    notes = [event.note for event in events if event.exit_reason == "invalid"]
    if notes:
        count = plural(len(notes), "candidate")
        refused = "was rejected by" if len(notes) == 1 else "were rejected, the first by"
        yield f"{count} broke the rules and {refused} {notes[0]}"


def _entries(count: int) -> str:
    return "1 entry was" if count == 1 else f"{count:,} entries were"


def _small_trails(opened: Sequence[Signal]) -> Iterator[str]:
    """Name distances in percent that look like fractions."""
    for name in ("trail", "trail_after", "breakeven"):
        small = [each for signal in opened if 0 < (each := getattr(signal, name) or 0) < _SMALL]
        if small:
            first = small[0]
            yield (
                f"{name}={first:g} of {plural(len(small), 'position')} means {first:g} %; for "
                f"{100 * first:g} % write {name}={100 * first:g}"
            )


def _small_shares(session: Session) -> Iterator[str]:
    """Name percents of the account and of the rules that look like fractions."""
    found: dict[str, float] = {}  # with what it means, so that each is named once
    for name, of, least in _SHARES:
        for each in session.instances:
            share = getattr(each.rules if of is _COSTS else each.account, name, None) or 0
            if 0 < abs(share) < least:
                found[f"{name}={share:g} of {of.format(share)}"] = share
    for words, share in found.items():
        name = words.partition("=")[0]
        yield f"{words}; for {100 * share:g} % write {name}={100 * share:g}"


def _small_targets(opened: Sequence[Signal]) -> Iterator[str]:
    """Name a target of shorts that looks like a percent: no rule bounds how far it may be."""
    shorts = [(each.take_profit or 100, each) for each in opened if each.position == "short"]
    small = [target for target, each in shorts if target < min(each.entry / 4, 100)]
    if small:
        yield (
            f"take_profit={small[0]:g} of {plural(len(small), 'short')} is a price; for "
            f"{small[0]:g} % write tn.percent({small[0]:g})"
        )


def _silent_indicators(coverage: Coverages) -> list[str]:
    """Name the indicators that never had a value: a strategy that compares with NaN is silent."""
    return [
        f"indicator {item.name!r} ({item.timeframe}) of {strategy} has no value in the whole run "
        f"on {symbol} ({plural(item.candles, 'candle')}); give it more history (a later start=), "
        "or check what it computes"
        for (strategy, symbol), found in coverage.items()
        for item in found
        if not item.values
    ]


def _early_entries(coverage: Coverages, opened: Sequence[Event]) -> Iterator[str]:
    """Count the entries that were made while an indicator had no value yet."""
    for (strategy, symbol), found in coverage.items():
        late = max(found, key=lambda item: item.first or 0, default=None)
        if late is None or late.first is None:
            continue
        entries = [
            event
            for event in opened
            if (event.strategy, event.symbol) == (strategy, symbol) and event.at < late.first
        ]
        if entries:
            count = "an entry" if len(entries) == 1 else f"{len(entries):,} entries"
            yield (
                f"{strategy} made {count} on {symbol} before "
                f"{iso(late.first)}, when its indicator {late.name!r} ({late.timeframe}) was NaN: "
                "no comparison with NaN is true, so look at what is done then (an else, a not), "
                "or pass a later start="
            )


def _compounded(session: Session, trades: Sequence[Trade]) -> Iterator[str]:
    """Say that each of several positions at once counts as if it had all the money."""
    compounds = len(session.instances) > 1 and not session.accounts
    most = _most_at_once(session, trades) if compounds else 0
    if most > 1:
        yield (
            f"up to {most} positions are open at once: equity compounds each at full size, as if "
            "it had the whole account"
        )


def _most_at_once(session: Session, trades: Sequence[Trade]) -> int:
    """Return how many positions were open at the same time, at most."""
    states = [instance.state for instance in session.instances]
    begun = [state.opened_at for state in states if state.opened_at is not None]
    begun = sorted(begun + [trade.opened_at for trade in trades])
    ended = sorted([trade.closed_at for trade in trades])
    # At one close what ends comes before what begins.
    return max((n - bisect_right(ended, at) for n, at in enumerate(begun, 1)), default=0)
