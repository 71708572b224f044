"""The exchange of a call: an object, or the name of one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tradenb.engine.ports import CandleSource
from tradenb.errors import UsageError, shown


def resolve_candle_source(given: object) -> CandleSource:
    """Return the source that was given, or the one that has the name that was given."""
    found: Any = given
    if isinstance(given, str | Path) and _names_files(Path(given)):
        raise UsageError(
            f"exchange must be an exchange, was a path: exchange=tn.file_exchange({str(given)!r})"
        )
    if isinstance(given, str):
        from tradenb.exchanges.ccxt.ccxt_factory import resolve_by_name

        found = resolve_by_name(given)
    if not isinstance(found, CandleSource):
        raise UsageError(
            "exchange must be an exchange such as tn.frame_exchange(df), or the name of one such "
            f"as 'binance', was {_described(given)}"
        )
    return found


def _names_files(path: Path) -> bool:
    from tradenb.exchanges.tables.file_readers import can_read

    return len(path.parts) > 1 or can_read(path) or path.exists()


def _described(given: object) -> str:
    if type(given).__name__ == "DataFrame":
        return "a DataFrame: wrap it, exchange=tn.frame_exchange(df)"
    return shown(given)
