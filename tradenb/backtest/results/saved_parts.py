"""The parts of a result as a folder: written by `Result.save`, read by `tn.load`.

`result.json` says what ran and how; events, trades and the candles of each symbol are Parquet, for
any tool to read. Figures are not saved: they are made of these, as they were the first time.
`result.json` is written last and removed first, so that a folder without it was never whole.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args, get_type_hints

import numpy as np

from tradenb import __version__
from tradenb.backtest.period import LoadedPeriod, Span
from tradenb.backtest.results.result_parts import ResultParts
from tradenb.core.candles.arrays import Candles, Intake, Rows
from tradenb.core.candles.gaps import with_gaps
from tradenb.core.events import AskRow, Event
from tradenb.core.lifecycle.state import Refusing
from tradenb.core.money.account import Account
from tradenb.core.rules import Rules
from tradenb.core.signal import Trade
from tradenb.engine.history.indicators import Computed, Coverage
from tradenb.engine.serialise import event_to_record, from_record, record_to_event, to_record
from tradenb.engine.session.queues import Taken
from tradenb.errors import StateCorrupt, StateVersionError, UsageError, shown
from tradenb.statistics.equity.stretches import Key
from tradenb.store.filesystem import DiskFilesystem, forget, replace_whole
from tradenb.store.paths import encoded

if TYPE_CHECKING:
    import pyarrow

VERSION: Final = 1
ABOUT: Final = "result.json"
_EVENTS: Final = "events.parquet"
_TRADES: Final = "trades.parquet"
_INDICATORS: Final = "indicators.parquet"
_TEXTS: Final = ("strategy", "symbol", "name", "timeframe", "place")
_PLAIN: Final = ("exchange", "step", "ask_count", "asks_failed", "elapsed_s", "said", "alarms")
_ARROW: Final = {int: "int64", float: "float64", bool: "bool_"}


def folder_of(given: object) -> Path:
    """Return the whole path of a folder; what is not a path is a UsageError."""
    if not isinstance(given, str | os.PathLike) or not os.fspath(given):
        raise UsageError(f"folder must be a path such as 'results/dip', was {shown(given)}")
    return Path(os.fsdecode(given)).resolve()


def save_parts(parts: ResultParts, folder: Path) -> Path:
    """Write a folder; one that holds a saved result already is replaced.

    Raises
    ------
    UsageError
        When other things are in the folder, or it is a file.
    """
    if folder.exists() and not (folder / ABOUT).is_file() and not _is_empty(folder):
        raise UsageError(
            f"{folder} holds other things than a saved result; give the name of a new folder"
        )
    disk, settled = DiskFilesystem(durable=False), parts.settled()
    candles = {symbol: f"candles-{encoded(symbol, 'symbol')}.parquet" for symbol in parts.symbols}
    forget(disk, folder / ABOUT)
    for old in folder.glob("candles-*.parquet"):
        if old.name not in candles.values():
            forget(disk, old)
    for symbol, name in candles.items():
        replace_whole(disk, folder / name, _candle_bytes(settled.period.candles[symbol]))
    replace_whole(disk, folder / _EVENTS, _bytes(Event, map(_event_row, settled.events)))
    replace_whole(disk, folder / _TRADES, _bytes(Trade, (own._asdict() for own in settled.trades)))
    replace_whole(disk, folder / _INDICATORS, _indicator_bytes(settled.computed))
    about = json.dumps(_about(settled, candles), indent=1, allow_nan=False, default=_number)
    replace_whole(disk, folder / ABOUT, about.encode())
    return folder


def load_parts(folder: Path) -> ResultParts:
    """Read what `save_parts` wrote.

    Raises
    ------
    UsageError
        When the folder is not a saved result, or not a whole one.
    StateCorrupt, StateVersionError
        When its files are damaged, or of a newer tradenb.
    """
    path = folder / ABOUT
    if not path.is_file():
        raise UsageError(
            f"{folder} is not a saved result, or saving it was not finished: {ABOUT} is missing"
        )
    try:
        about = json.loads(path.read_bytes())
        version = about["version"]
        if version > VERSION:
            raise StateVersionError(
                f"{path}: version {version} was written by tradenb {about['tradenb']}, this one "
                f"({__version__}) reads up to {VERSION}; install a newer tradenb"
            )
        return _parts(about, folder)
    except StateVersionError:
        raise
    except Exception as error:
        raise StateCorrupt(
            f"{folder}: this saved result is damaged ({type(error).__name__}: {error}); save it "
            "anew",
            path=str(folder),
        ) from error


def _about(parts: ResultParts, candles: Mapping[str, str]) -> dict[str, Any]:
    period, account = parts.period, parts.account
    return {
        "version": VERSION,
        "tradenb": __version__,
        "symbols": {
            symbol: {
                "candles": name,
                "step": period.candles[symbol].step,
                "span": [period.spans[symbol].start, period.spans[symbol].end],
            }
            for symbol, name in candles.items()
        },
        "strategies": dict(parts.notes),
        "rules": parts.rules.model_dump(mode="json"),
        "account": None if account is None else account.model_dump(mode="json"),
        "intake": {symbol: asdict(own) for symbol, own in period.intake.items()},
        "states": [to_record(state) for state in parts.states],
        "open": parts.open,
        "refused": [[symbol, name, row._asdict()] for symbol, name, row in parts.refused],
        "asked": [[symbol, name, row._asdict()] for symbol, name, row in parts.ask_rows],
        "asks_lost": [[*key, count] for key, count in parts.asks_lost_by.items()],
        "coverage": [[*key, own] for key, own in parts.coverage.items()],
        "funding": [[*key, own] for key, own in parts.funding.items()],
        **{name: getattr(parts, name) for name in _PLAIN},
    }


def _parts(about: Mapping[str, Any], folder: Path) -> ResultParts:
    rules = Rules(**about["rules"])
    period = LoadedPeriod(
        candles={
            symbol: _candles(folder / own["candles"], own["step"], rules)
            for symbol, own in about["symbols"].items()
        },
        intake={symbol: _intake(own) for symbol, own in about["intake"].items()},
        spans={symbol: Span(*own["span"]) for symbol, own in about["symbols"].items()},
    )
    return ResultParts(
        symbols=tuple(about["symbols"]),
        strategies=tuple(about["strategies"]),
        rules=rules,
        account=_account(about["account"]),
        notes=about["strategies"],
        period=period,
        states=[from_record(record) for record in about["states"]],
        recorded=[Taken.of([record_to_event(_event_of(row)) for row in _rows(folder / _EVENTS)])],
        fast=None,
        trades=[Trade(**row) for row in _rows(folder / _TRADES)],
        open=[tuple(row) for row in about["open"]],
        refused=[(symbol, name, Refusing(**row)) for symbol, name, row in about["refused"]],
        asked=[(symbol, name, [AskRow(**row)]) for symbol, name, row in about["asked"]],
        asks_lost_by={(name, symbol): count for name, symbol, count in about["asks_lost"]},
        coverage={
            (name, symbol): [Coverage(*each) for each in own]
            for name, symbol, own in about["coverage"]
        },
        computed=_indicators(folder / _INDICATORS),
        funding={
            (name, symbol): [(at, paid) for at, paid in own]
            for name, symbol, own in about["funding"]
        },
        **{name: about[name] for name in _PLAIN},
    )


def _account(given: dict[str, Any] | None) -> Account | None:
    if given is None:
        return None
    import pandas as pd

    if given["funding"] is not None:
        given["funding"] = {
            symbol: pd.Series(
                [percent for _, percent in own],
                index=pd.to_datetime([at for at, _ in own], unit="ms", utc=True),
                dtype=float,
            )
            for symbol, own in given["funding"].items()
        }
    return Account(**given)


def _intake(given: dict[str, Any]) -> Intake:
    longest = given["longest"]
    return Intake(**given | {"longest": None if longest is None else tuple(longest)})


def _candle_bytes(candles: Candles) -> bytes:
    import pyarrow as pa

    columns = (candles.time, candles.open, candles.high, candles.low, candles.close, candles.volume)
    return _written(pa.table(dict(zip(Rows._fields, map(pa.array, columns), strict=True))))


def _candles(path: Path, step: int, rules: Rules) -> Candles:
    from pyarrow import parquet

    table = parquet.read_table(path)
    rows = Rows(*(table[name].to_numpy() for name in Rows._fields))
    return with_gaps(rows, step, rules.gap_minutes)[0]


def _indicator_bytes(computed: Mapping[Key, Sequence[Computed]]) -> bytes:
    """Return the values of indicators as Parquet: a row a value."""
    import pyarrow as pa

    rows = [
        ((*key, each.name, each.timeframe, each.place), each)
        for key, own in computed.items()
        for each in own
    ]
    sizes = [len(each.values) for _, each in rows]
    columns: dict[str, Any] = {
        text: pa.array(np.repeat([names[place] for names, _ in rows], sizes).tolist(), pa.string())
        for place, text in enumerate(_TEXTS)
    }
    columns |= {
        "closes_at": np.concatenate([each.closes_at for _, each in rows] or [np.zeros(0, "int64")]),
        "value": np.concatenate([each.values for _, each in rows] or [np.zeros(0)]),
    }
    return _written(pa.table(columns))


def _indicators(path: Path) -> dict[Key, list[Computed]]:
    from pyarrow import parquet

    found: dict[Key, list[Computed]] = {}
    frame = parquet.read_table(path).to_pandas()
    for of, own in frame.groupby(list(_TEXTS), sort=False, observed=True):
        strategy, symbol, name, timeframe, place = map(str, of)
        values = (own["closes_at"].to_numpy("int64"), own["value"].to_numpy("float64"))
        found.setdefault((strategy, symbol), []).append(Computed(name, timeframe, place, *values))
    return found


def _event_row(event: Event) -> dict[str, Any]:
    record = event_to_record(event)
    signal = record["signal"]
    return record | {"signal": None if signal is None else json.dumps(signal, default=_number)}


def _event_of(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"signal": None if row["signal"] is None else json.loads(row["signal"])}


def _bytes(record: type, rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Return rows of a record as Parquet, with the columns of its fields."""
    import pyarrow as pa

    names = {name: _arrow(hint) for name, hint in get_type_hints(record).items()}
    schema = pa.schema([(name, getattr(pa, kind)()) for name, kind in names.items()])
    return _written(pa.Table.from_pylist(list(rows), schema=schema))


def _arrow(hint: Any) -> str:
    kinds = [kind for kind in get_args(hint) if kind is not type(None)] or [hint]
    return _ARROW.get(kinds[0], "string")


def _rows(path: Path) -> list[dict[str, Any]]:
    from pyarrow import parquet

    found: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
    return found


def _written(table: pyarrow.Table) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    sink = pa.BufferOutputStream()
    parquet.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue().to_pybytes())


def _number(value: Any) -> Any:
    """Return the plain number of one of numpy's, as strategies give them."""
    return value.item()


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())
