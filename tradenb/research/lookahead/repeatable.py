"""Which statements of a notebook may be run again: those that only compute.

What reads from elsewhere, writes, sends, shows, asks, draws by chance, starts something or changes
a module is known by its words, in the statement and in the functions of the user's that it calls.
That is no proof: what comes out is compared, and files that are opened are watched.
"""

from __future__ import annotations

import ast
import dis
from collections.abc import Mapping
from types import CodeType, ModuleType
from typing import Any, Final

from tradenb.engine.notebook_cells import Statement
from tradenb.engine.reach import functions_of, is_users, names_in
from tradenb.engine.slices import base_of

_READS: Final = frozenset(
    {
        "ExcelFile", "HDFStore", "connect", "fromfile", "genfromtxt", "get_ipython", "getpass",
        "input", "load", "loads", "loadtxt", "memmap", "open", "os", "read", "requests", "socket",
        "urlopen", "urlretrieve", "execute", "aiohttp", "httpx", "urllib", "ftplib",
    }
)  # fmt: skip
_WRITES: Final = frozenset(
    {
        "chmod", "commit", "copyfile", "dump", "export", "hardlink_to", "imsave", "mkdir",
        "rename", "rmdir", "rmtree", "save", "savefig", "savemat", "savetxt", "savez",
        "savez_compressed", "shutil", "symlink_to", "tofile", "touch", "unlink", "write",
        "write_bytes", "write_text", "writelines", "writerow", "writerows",
    }
)  # fmt: skip
_SENDS: Final = frozenset(
    {
        "display", "notify", "post", "put", "send", "send_message", "sendmail", "show", "smtplib",
        "subscribe", "telegram", "webbrowser", "webhook", "websocket",
    }
)  # fmt: skip
_STARTS: Final = frozenset(
    {
        "Popen", "Process", "ProcessPoolExecutor", "Thread", "ThreadPoolExecutor", "Timer",
        "atexit", "background", "call", "check_call", "check_output", "compare", "dashboard",
        "fork", "kill", "live", "lookahead", "multiprocessing", "parity", "rehearse", "run",
        "schedule", "signal", "sleep", "start", "submit", "subprocess", "sweep", "system",
        "threading", "trial", "walk_forward",
    }
)  # fmt: skip
_BY_CHANCE: Final = frozenset({"default_rng", "random", "secrets", "shuffle", "urandom", "uuid4"})
_BY_TEXT: Final = frozenset(
    {"__import__", "compile", "delattr", "eval", "exec", "exit", "globals", "import_module"}
    | {"quit", "reload", "setattr", "vars"}
)
NOT_AGAIN: Final = _READS | _WRITES | _SENDS | _STARTS | _BY_CHANCE | _BY_TEXT
_COLUMNS: Final = frozenset({"open", "compare", "start", "signal", "call", "put", "kill", "touch"})
"""Of these only the name says something: candles have an open, signals and options the others."""
_CONVERTS: Final = frozenset(
    {
        "to_datetime", "to_datetime64", "to_dict", "to_flat_index", "to_frame", "to_julian_date",
        "to_list", "to_numeric", "to_numpy", "to_offset", "to_period", "to_pydatetime",
        "to_pytimedelta", "to_records", "to_series", "to_timedelta", "to_timestamp",
    }
)  # fmt: skip
"""Methods and functions of pandas whose name is `to_`, and that write nothing."""


def is_refused(
    statement: Statement, namespace: Mapping[str, Any], imported: frozenset[str]
) -> bool:
    """Tell whether a statement does more than computing, as far as its words say."""
    if statement.awaits or _changes_a_module(statement.node, imported):
        return True
    names = {item.id for item in ast.walk(statement.node) if isinstance(item, ast.Name)}
    attributes = {item.attr for item in ast.walk(statement.node) if isinstance(item, ast.Attribute)}
    words = {name for name in names & NOT_AGAIN if not _is_data(namespace.get(name, open))}
    if words or any(map(_tells, attributes)):
        return True
    users = [namespace[name] for name in statement.uses & imported & namespace.keys()]
    several = [own for value in users if callable(value) for own in functions_of(value)]
    modules = [value for value in users if isinstance(value, ModuleType) and is_users(value)]
    several += [
        own
        for module in modules
        for name in attributes & vars(module).keys()
        if callable(vars(module)[name])
        for own in functions_of(vars(module)[name])
    ]
    return any(_does_more(own.__code__) for own in several)


def _is_data(value: Any) -> bool:
    """Tell whether a name is one of the user's own values: signal = df.close > mean."""
    return not callable(value) and not isinstance(value, ModuleType)


def _tells(attribute: str) -> bool:
    if attribute.startswith("to_"):
        return attribute not in _CONVERTS
    return attribute in NOT_AGAIN - _COLUMNS or attribute.startswith(("read_", "fetch"))


def _does_more(code: CodeType) -> bool:
    """Tell the same of a function in a module of the user's."""
    if any(map(_tells, names_in(code))):
        return True
    loaded = {item.argval for item in dis.get_instructions(code) if "GLOBAL" in item.opname}
    inner = [const for const in code.co_consts if isinstance(const, CodeType)]
    return not loaded.isdisjoint(NOT_AGAIN) or any(map(_does_more, inner))


def _changes_a_module(node: ast.stmt, imported: frozenset[str]) -> bool:
    """Tell whether something of a module is assigned or deleted: `mylib.N = 3`."""
    return any(
        isinstance(item, ast.Attribute | ast.Subscript)
        and isinstance(item.ctx, ast.Store | ast.Del)
        and base_of(item) in imported
        for item in ast.walk(node)
    )
