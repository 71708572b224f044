"""Where the trials of a sweep run: here, in a pool of `concurrent.futures`, or on a Dask cluster.

Each way yields (places in the grid, rows) as they come; the caller puts them in order.
"""

from __future__ import annotations

import concurrent.futures
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tradenb.backtest.trial import TrialCandles
from tradenb.core.candles.arrays import NAMES, Floats
from tradenb.errors import StateError, UsageError, shown
from tradenb.research.sweep.grid import Combination
from tradenb.research.sweep.sweep_cache import SweepCache
from tradenb.research.sweep.sweep_trial import Packed, Row, Settings, failed, run_packed, trial

Done = tuple[list[int], list[Row]]
Chunk = tuple[list[int], list[Combination]]
_CHUNKS: Final = 32
_LOSSES: Final = 4
"""How often trials are sent to a Dask cluster whose workers die with the candles."""


@dataclass(frozen=True)
class Trials:
    """The trials that are to be run, and what they need.

    Attributes
    ----------
    market : TrialCandles
        The candles, and what trials of this process have in common.
    key : str
        Of the candles.
    waiting : list of (int, dict)
        Combinations by their place in the grid.
    """

    factory: Any
    market: TrialCandles
    key: str
    settings: Settings
    waiting: list[tuple[int, Combination]]
    cache: SweepCache

    def chunks(self) -> Iterator[Chunk]:
        """Cut the trials into pieces that are worth a message."""
        size = max(1, len(self.waiting) // _CHUNKS)
        for first in range(0, len(self.waiting), size):
            piece = self.waiting[first : first + size]
            yield [place for place, _ in piece], [item for _, item in piece]

    def columns(self) -> list[tuple[str, int, Floats]]:
        """Return the candles as arrays of times and five columns, which can be sent."""
        return [
            (symbol, own.step, np.stack([own.time, *(getattr(own, name) for name in NAMES)]))
            for symbol, own in self.market.candles.items()
        ]

    def packed(self) -> tuple[bytes, str]:
        """Return the factory by value, and a key for it and the candles."""
        factory = _pickled(self.factory)
        return factory, self.key + hashlib.sha256(factory).hexdigest()[:16]


def rows_of(trials: Trials, executor: Any) -> Iterator[Done]:
    """Run all trials.

    Raises
    ------
    UsageError
        When it is not an executor, or the factory cannot be sent to its workers.
    StateError
        When its workers died; what was finished is kept.
    """
    if executor is None:
        return _here(trials)
    if hasattr(executor, "submit") and not isinstance(executor, type):
        return (_on_dask if hasattr(executor, "scatter") else _in_pool)(trials, executor)
    raise UsageError(
        "executor must be None, an executor of concurrent.futures or a dask.distributed Client, "
        f"was {shown(executor)}"
    )


def _here(trials: Trials) -> Iterator[Done]:
    for place, combination in trials.waiting:
        yield [place], [trial(trials.factory, combination, trials.market, trials.settings)]


def _in_pool(trials: Trials, executor: Any) -> Iterator[Done]:
    factory, key = trials.packed()
    candles = _in_files(trials)
    futures: dict[concurrent.futures.Future[list[Row]], list[int]] = {}
    broken: BaseException | None = None
    try:
        for at, chunk in trials.chunks():
            try:
                future = executor.submit(run_packed, factory, candles, key, trials.settings, chunk)
            except concurrent.futures.BrokenExecutor as error:
                broken = error
                break
            except RuntimeError as error:
                raise UsageError(f"the executor takes no more trials: {error}") from error
            futures[future] = at
        for future in concurrent.futures.as_completed(futures):
            if isinstance(future.exception(), concurrent.futures.BrokenExecutor):
                broken = future.exception()  # what was finished before may be looked at later
            else:
                yield futures[future], future.result()
    finally:
        for future in futures:
            future.cancel()
    if broken is not None:
        raise StateError(
            f"a worker process died ({broken}); what was finished is kept in {trials.cache.path}: "
            "call the sweep again with a new executor, and it continues from there"
        ) from broken


def _on_dask(trials: Trials, client: Any) -> Iterator[Done]:
    """Send candles and trials, and again what was lost.

    The scheduler removes copies of the candles that no trial waits for. When the last worker that
    has one dies, it cancels all trials that need them.
    """
    waiting = list(trials.chunks())
    for _ in range(_LOSSES):
        lost = []
        for at, chunk, rows in _sent_to_dask(trials, client, waiting):
            if rows is None:
                lost.append((at, chunk))
            else:
                yield at, rows
        waiting = lost
        if not waiting:
            return
    count = sum(len(at) for at, _ in waiting)
    raise StateError(
        f"{count} of {len(trials.waiting)} trials were lost {_LOSSES} times with the workers of "
        f"the cluster; what was finished is kept in {trials.cache.path}: look at the logs of the "
        "workers (their memory first), then call the sweep again, and it continues from there"
    )


def _sent_to_dask(
    trials: Trials, client: Any, chunks: list[Chunk]
) -> Iterator[tuple[list[int], list[Combination], list[Row] | None]]:
    """Yield each chunk as it comes with its rows, or with None where it was lost."""
    import distributed

    as_completed: Any = distributed.as_completed
    factory, key = trials.packed()
    try:
        held = client.scatter([trials.columns()], broadcast=True, hash=False)[0]
    except (TimeoutError, OSError, RuntimeError, concurrent.futures.CancelledError) as error:
        raise StateError(
            f"the Dask cluster took no candles ({type(error).__name__}: {error}): see that its "
            f"scheduler and a worker run, then call the sweep again; what was finished is kept in "
            f"{trials.cache.path}"
        ) from error
    futures = {}
    try:
        for at, chunk in chunks:
            future = client.submit(
                run_packed, factory, held, key, trials.settings, chunk, pure=False, retries=2
            )
            futures[future.key] = (future, at, chunk)
        for future in as_completed([item[0] for item in futures.values()], raise_errors=False):
            _, at, chunk = futures[future.key]
            try:
                yield at, chunk, _answered(future, len(chunk))
            except concurrent.futures.CancelledError:
                yield at, chunk, None
    finally:
        client.cancel([item[0] for item in futures.values()])


def _answered(future: Any, count: int) -> list[Row]:
    error = future.exception()
    if error is None:
        rows: list[Row] = future.result()
        return rows
    return [failed(f"{type(error).__name__}: {error}") for _ in range(count)]


def _in_files(trials: Trials) -> Sequence[Packed]:
    """Put the candles where other processes of this machine can map them."""
    return [
        (symbol, step, trials.cache.keep_candles(f"{trials.key}-{number}", columns))
        for number, (symbol, step, columns) in enumerate(trials.columns())
    ]


def _pickled(factory: Any) -> bytes:
    import cloudpickle

    try:
        return bytes(cloudpickle.dumps(factory))
    except Exception as error:
        raise UsageError(
            f"the strategy factory cannot be sent to another process: {error}; create what cannot "
            "be copied (locks, connections, open files) inside the factory"
        ) from error
