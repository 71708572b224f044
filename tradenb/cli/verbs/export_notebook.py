"""`tradenb export NOTEBOOK`: write a verified script from a notebook file."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tradenb.cli.options import add_common, answer
from tradenb.errors import ExportError, UsageError
from tradenb.store.paths import find_home

if TYPE_CHECKING:
    from tradenb.exporting.collect.notebook_slice import Notebook, NotebookCall


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "export",
        help="write the strategies of a notebook to a verified script",
        description="Write what a notebook runs to a script, after a proof that the script gives "
        "the same trades. What it runs is read from its last tn.live.background(...), else from "
        "its last backtest. Only the cells needed for it are executed, and nothing goes live.",
    )
    parser.add_argument("notebook", type=Path, metavar="NOTEBOOK", help="an .ipynb file")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="the script (default NOTEBOOK with .py)"
    )
    parser.add_argument(
        "--strategy", action="append", metavar="NAME", help="its name in Python; may be repeated"
    )
    parser.add_argument("--symbol", action="append", metavar="SYMBOL", help="may be repeated")
    parser.add_argument("--exchange", metavar="NAME", help="its name in Python")
    parser.add_argument(
        "--candles", metavar="FILES", help="candles of the sample, such as 'data/*.parquet'"
    )
    parser.add_argument("--start", metavar="TIME", help="start of the sample")
    parser.add_argument("--end", metavar="TIME", help="end of the sample, exclusive")
    add_common(parser, run)


def run(options: argparse.Namespace) -> int:
    """Export, and print what was compared."""
    from tradenb import exporting
    from tradenb.exchanges.tables.file_source import file_exchange
    from tradenb.exporting.collect.ipynb_file import cells_of_file
    from tradenb.exporting.collect.notebook_slice import Notebook

    file: Path = options.notebook
    if not file.is_file():
        raise UsageError(f"{file} is not a file")
    target = (options.output or file.with_suffix(".py")).absolute()
    candles = None if options.candles is None else file_exchange(Path(options.candles).absolute())
    home = None if options.home is None else find_home(options.home).root
    notebook = Notebook(cells_of_file(file))
    # What cells print goes to stderr: stdout is for the answer alone.
    with _beside(file), contextlib.redirect_stdout(sys.stderr):
        arguments = _arguments(notebook, options)
        home = home or arguments.pop("home", None)
        done = exporting.export(
            target,
            arguments.pop("strategy"),
            **arguments,
            home=home,
            candles=candles,
            start=options.start,
            end=options.end,
        )
    answer(
        {name: getattr(done, name) for name in done.__slots__},
        repr(done)[1:-1],
        as_json=options.json,
    )
    return 0


def _arguments(notebook: Notebook, options: argparse.Namespace) -> dict[str, Any]:
    """Return the arguments of the export: the command's, else those of the notebook's call."""
    wanted = _wanted(notebook, options.strategy)
    started = _started(notebook, wanted, options)
    return started or _read(notebook, wanted, options)


def _read(
    notebook: Notebook, wanted: NotebookCall | None, options: argparse.Namespace
) -> dict[str, Any]:
    """Return the arguments that the command and the text of a call say."""
    found: dict[str, Any] = {}
    if options.strategy:
        found["strategy"] = [notebook.value(name) for name in options.strategy]
    elif wanted is not None:
        found["strategy"] = notebook.value(wanted.arguments["strategy"])
    else:
        names = notebook.strategies()
        if len(names) != 1:
            known = ", ".join(names) or "none"
            raise ExportError(
                f"the notebook runs nothing, and its strategies are {known}; pass --strategy NAME"
            )
        found["strategy"] = notebook.value(names[0])
    if options.symbol:
        found["symbol"] = options.symbol
    elif wanted is not None:
        found["symbol"] = _symbols(notebook, wanted)
    if options.exchange:
        found["exchange"] = notebook.value(options.exchange)
    elif wanted is not None:
        found["exchange"] = notebook.value(wanted.arguments["exchange"])
    for name in ("rules", "account", "broker", "home"):
        if wanted is not None and name in wanted.arguments:
            found[name] = notebook.value(wanted.arguments[name])
    return found


def _started(
    notebook: Notebook, wanted: NotebookCall | None, options: argparse.Namespace
) -> dict[str, Any]:
    """Return the arguments of runs that the notebook starts in a form that cannot be read."""
    from tradenb.exporting.collect.held_calls import subject_of_calls

    plain = wanted is not None and wanted.is_live and wanted.is_plain
    if plain or options.strategy or options.symbol or options.exchange:
        return {}
    calls = notebook.started()
    return subject_of_calls(calls) if calls else {}


def _symbols(notebook: Notebook, wanted: NotebookCall) -> Any:
    """Return the symbols of all live calls like the one that is wanted, in their order."""
    if not (wanted.is_live and wanted.is_plain):
        return notebook.value(wanted.symbol)
    alike = [
        call
        for call in notebook.calls()
        if (call.is_live, call.is_plain) == (wanted.is_live, True)
        and call.settings() == wanted.settings()
    ]
    several = [notebook.value(call.symbol) for call in reversed(alike)]
    return list(dict.fromkeys(several))


def _wanted(notebook: Notebook, names: list[str] | None) -> NotebookCall | None:
    """Return the call to take the arguments from: one of these strategies, or of any."""
    import ast

    for call in notebook.calls():
        words = ast.unparse(call.arguments["strategy"])
        if not names or any(name in words for name in names):
            return call
    return None


@contextlib.contextmanager
def _beside(file: Path) -> Iterator[None]:
    """Work where a kernel of the notebook would: in its folder, with the modules there."""
    folder = file.parent.absolute()
    sys.path.insert(0, str(folder))
    try:
        with contextlib.chdir(folder):
            yield
    finally:
        sys.path.remove(str(folder))
