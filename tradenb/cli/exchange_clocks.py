"""What the doctor asks exchanges for: their time, to check the clock of this machine."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from tradenb.errors import TradenbError

MOST: Final = 3
PATIENCE_S: Final = 8.0
SKEW_MS: Final = 1_000


def exchange_clocks(names: Iterable[str], home: Path) -> Iterator[tuple[str, int | None, str]]:
    """Ask exchanges for their time, all at once and not for long.

    Yields name, how far the clock of this machine is ahead in ms, and why if that is not known.
    """
    asked = sorted(set(names))[:MOST]
    answers: dict[str, tuple[int | None, str]] = {}
    threads = [
        threading.Thread(target=_ask, args=(name, home, answers), daemon=True) for name in asked
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    for name in asked:
        yield name, *answers.get(name, (None, f"no answer in {PATIENCE_S:g} s"))


def _ask(name: str, home: Path, answers: dict[str, tuple[int | None, str]]) -> None:
    from tradenb.exchanges.ccxt.ccxt_factory import ccxt_exchange

    try:
        answers[name] = (
            ccxt_exchange(name, home=home).measure_clock(),
            "the exchange does not publish its time",
        )
    except TradenbError as error:
        answers[name] = None, str(error)
