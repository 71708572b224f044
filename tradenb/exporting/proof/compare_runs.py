"""The proof that a script gives what the notebook gives: run both over a sample, compare all."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from tradenb.backtest import run
from tradenb.clock import wall_ms
from tradenb.core.money.account import Account
from tradenb.core.rules import Rules
from tradenb.core.timeframe import DAY, floor_to, iso, to_ms
from tradenb.engine.ports import CandleRequest, CandleSource
from tradenb.engine.serialise import event_to_row
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.errors import ExportError, UsageError
from tradenb.exporting.collect.plain_values import facts
from tradenb.exporting.proof.clean_process import RESULT, TASK
from tradenb.exporting.proof.recorded_sample import RecordingSource
from tradenb.exporting.proof.start_environment import script_environment

SAMPLE_DAYS: Final = 14
_PATIENCE_S: Final = 120.0
_PATIENCE_FACTOR: Final = 20
_CODE_SHOWN: Final = 400
_COLUMNS: Final = ("kind", "symbol", "strategy", "position", "price", "exit_reason", "note")

Row = dict[str, Any]


class Sample(NamedTuple):
    """What the notebook's strategies gave over some candles.

    Attributes
    ----------
    start, end : int
        ms UTC.
    seconds : float
        How long it took.
    """

    recording: RecordingSource
    start: int
    end: int
    events: list[Row]
    trades: int
    seconds: float


def sampled(
    symbols: Sequence[str],
    strategies: Sequence[StrategySpec],
    source: CandleSource,
    rules: Rules,
    period: tuple[Any, Any],
    account: Account | None = None,
) -> Sample:
    """Run the notebook's strategies over the sample.

    The period is start and end as users give them; None: the last `SAMPLE_DAYS` days there are.
    """
    recording = RecordingSource(source)
    start, end = _period(symbols[0], strategies, recording, rules, period)
    began = time.perf_counter()
    result = run(
        list(symbols),
        strategy=list(strategies),
        exchange=recording,
        start=start,
        end=end,
        rules=rules,
        account=account,
        progress=False,
    )
    rows = [event_to_row(event) for event in result.event_list]
    seconds = time.perf_counter() - began
    return Sample(recording, start, end, rows, len(result.trade_list), seconds)


def prove(
    text: str,
    sample: Sample,
    values: Mapping[str, Any],
    before: Mapping[str, Any],
    variables: Iterable[str],
) -> None:
    """Compare a script with the sample, in a clean process, and refuse it if they differ.

    `values` are its definitions as the notebook has them, `before` what `facts` said of them before
    the sample was made, `variables` those of the environment that it names.
    """
    _check_unchanged(values, before)
    with tempfile.TemporaryDirectory(prefix="tradenb-export-") as name:
        folder = Path(name)
        script = folder / "script.py"
        script.write_text(text, encoding="utf-8")
        sample.recording.save(folder)
        task = {
            "names": list(values),
            "exchange": sample.recording.name,
            "start": sample.start,
            "end": sample.end,
        }
        (folder / TASK).write_text(json.dumps(task), encoding="utf-8")
        environment = script_environment(variables)
        found = _executed(script, folder, sample.seconds, environment)
    if "error" in found:
        raise _missing(found["error"])
    _check_facts(before, found.get("facts", {}))
    _check_events(sample.events, found.get("events", []))


def _period(
    symbol: str,
    strategies: Sequence[StrategySpec],
    source: RecordingSource,
    rules: Rules,
    period: tuple[Any, Any],
) -> tuple[int, int]:
    """Return the bounds of the sample, ms UTC."""
    start, end = period
    if start is not None and end is not None:
        return floor_to(to_ms(start, "start")), floor_to(to_ms(end, "end"))
    try:
        loaded = source.load(CandleRequest(symbol=symbol, rules=rules))
        first, last = loaded.candles.start, loaded.candles.end
    except UsageError:  # it asks somebody, who must be told what for
        first, last = 0, floor_to(wall_ms())
    finish = last if end is None else floor_to(to_ms(end, "end"))
    if start is not None:
        return floor_to(to_ms(start, "start")), finish
    history = max(spec.history_ms for spec in strategies)
    return max(first, min(finish - SAMPLE_DAYS * DAY, max(first + history, finish - DAY))), finish


def _executed(
    script: Path, folder: Path, seconds: float, environment: Mapping[str, str]
) -> dict[str, Any]:
    command = [
        sys.executable,
        "-I",
        "-m",
        "tradenb.exporting.proof.clean_process",
        str(script),
        str(folder),
    ]
    patience = _PATIENCE_S + _PATIENCE_FACTOR * seconds
    try:
        ran = subprocess.run(  # noqa: S603 - our own module, and the user's strategy
            command,
            cwd=folder,
            env=environment,
            timeout=patience,
            check=False,
            capture_output=True,
            text=True,
        )
    except subprocess.TimeoutExpired:
        raise ExportError(
            f"the script took more than {patience:.0f} s, the notebook {seconds:.0f} s; "
            "choose a shorter sample (start=, end=), or find out what the script waits for"
        ) from None
    result = folder / RESULT
    if not result.is_file():
        words = ran.stderr.strip()[-_CODE_SHOWN:] or f"exit code {ran.returncode}"
        raise ExportError(f"the script could not be run in a clean process: {words}")
    found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    return found


def _missing(error: Mapping[str, Any]) -> ExportError:
    words = f"{error['kind']}: {error['words']}"
    where = f", in the line {error['line']!r}" if error["line"] else ""
    if error["kind"] == "NameError" and error["name"]:
        advice = f"; define `{error['name']}` in a cell above the one that uses it"
    elif error["kind"] in ("FileNotFoundError", "KeyError"):
        advice = (
            "; it ran in an empty folder: write what it needs into the script or the environment"
        )
    else:
        advice = "; restart the kernel and run all cells, to see whether the notebook still works"
    return ExportError(f"the script does not run by itself: {words}{where}{advice}")


def _check_unchanged(values: Mapping[str, Any], before: Mapping[str, Any]) -> None:
    """Refuse strategies that changed something of the notebook while they ran."""
    for name, value in values.items():
        now = facts(value)
        for label, was in before[name].items():
            if now.get(label) != was:
                raise ExportError(
                    f"the strategy changed `{name}` while it ran ({label} was {was}, is "
                    f"{now.get(label)}); a restart would lose that. Keep it in ctx.state, which "
                    "is saved with the run"
                )


def _check_facts(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> None:
    for name, labels in ours.items():
        for label, here in labels.items():
            there = theirs.get(name, {}).get(label)
            if there != here:
                raise ExportError(
                    f"`{name}` differs: {label} is {here} in the notebook and {there} in the "
                    "script. Something that it is made from changed after its cell ran, or "
                    f"differs from run to run; run the cell of `{name}` again, or write the value "
                    "itself"
                )


def _check_events(ours: list[Row], theirs: list[Row]) -> None:
    """Refuse the first event that differs."""
    for here, there in zip(ours, theirs, strict=False):
        if _compared(here) != _compared(there):
            raise _differs(here, there)
    if len(ours) > len(theirs):
        raise _differs(ours[len(theirs)], None)
    if len(theirs) > len(ours):
        raise _differs(None, theirs[len(ours)])


def _compared(row: Row) -> Row:
    return row | {"note": None} if row["kind"] == "error" else row


def _differs(here: Row | None, there: Row | None) -> ExportError:
    row = here or there or {}
    columns = [name for name in _COLUMNS if (here or {}).get(name) != (there or {}).get(name)]
    fields = ", ".join(columns) if here and there else ""
    return ExportError(
        f"the first trade that differs is at {iso(row['at'])}: the notebook has {_words(here)}, "
        f"the script has {_words(there)}{f' ({fields})' if fields else ''}. The strategy "
        "depends on something besides its candles: random numbers without a seed, the clock, a "
        "file, a patched module, or state that an earlier run left in the notebook"
    )


def _words(row: Row | None) -> str:
    if row is None:
        return "nothing"
    price = "" if row["price"] is None else f" at {row['price']!r}"
    note = f" ({row['note']})" if row["note"] else ""
    position = f" {row['position']}" if row["position"] else ""
    return f"{row['kind']} {row['symbol']}:{row['strategy']}{position}{price}{note}"
