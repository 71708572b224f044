"""What the doctor asks exchanges for: their time, to check the clock of this machine."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any, Final

from tradenb.errors import TradenbError

MOST: Final = 3
PATIENCE_S: Final = 8.0
SKEW_MS: Final = 1_000


def exchange_clocks(
    places: Mapping[str, tuple[str, Mapping[str, Any]]], home: Path
) -> Iterator[tuple[str, int | None, str]]:
    """Ask exchanges for their time, all at once and not for long.

    Parameters
    ----------
    places : mapping
        By what they are called: the name of ccxt, and the options that say where it is.

    Yields what it is called, how far the clock of this machine is ahead in ms, and why if that is
    not known.
    """
    asked = sorted(places)[:MOST]
    answers: dict[str, tuple[int | None, str]] = {}
    threads = [
        threading.Thread(target=_ask, args=(name, *places[name], home, answers), daemon=True)
        for name in asked
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    for name in asked:
        yield name, *answers.get(name, (None, f"no answer in {PATIENCE_S:g} s"))


def _ask(
    called: str,
    name: str,
    options: Mapping[str, Any],
    home: Path,
    answers: dict[str, tuple[int | None, str]],
) -> None:
    from tradenb.exchanges.ccxt.ccxt_factory import ccxt_exchange

    try:
        answers[called] = (
            ccxt_exchange(name, home=home, **options).measure_clock(),
            "the exchange does not publish its time",
        )
    except TradenbError as error:
        answers[called] = None, str(error)
    except CancelledError:  # the program ends, and nobody waits for the answer any more
        return
