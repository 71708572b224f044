"""The text of a script: imports on top, definitions in order, one `main`."""

from __future__ import annotations

import hashlib
import re
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from tradenb import __version__
from tradenb.core.money.account import Account
from tradenb.core.rules import Rules
from tradenb.errors import ExportError
from tradenb.exporting.collect.plain_values import literal
from tradenb.exporting.collect.script_parts import Collection, Part

WIDTH: Final = 88
_MARK: Final = re.compile(r"(?s)\A(.*\n)# written by tn\.export, sha256 ([0-9a-f]{64})\n\Z")
_RUN_SCRIPT: Final = "from tradenb.script import run_script"
_PATH: Final = "from pathlib import Path"


class Job(NamedTuple):
    """What a script runs.

    Attributes
    ----------
    symbols : tuple of str
    strategies : tuple of str
        Their names in the registry.
    strategy_names : tuple of str
        Their names in Python.
    exchange_name : str
        In Python.
    rules : Rules
    home : Path
        Not absolute: beside the script.
    account : Account or None
    notify : tuple of mapping
        The arguments of `tn.notify` for each service that is told.
    broker_name : str or None
        In Python; its account is in it.
    """

    symbols: tuple[str, ...]
    strategies: tuple[str, ...]
    strategy_names: tuple[str, ...]
    exchange_name: str
    rules: Rules
    home: Path
    account: Account | None = None
    notify: tuple[Mapping[str, Any], ...] = ()
    broker_name: str | None = None


def script_text(found: Collection, job: Job, *, file: str, verified: str) -> str:
    """Write the script named `file`; its last line says what the text was when it was written.

    `verified` says in a sentence what was compared.
    """
    secrets = found.secrets | environment_of(job.notify)
    head = [_docstring(job, secrets, file, verified), ""]
    if found.futures:
        head += ["from __future__ import annotations", ""]
    typing = {"from typing import TYPE_CHECKING"} if found.typing else set()
    head += _import_lines(found.imports | typing | _own_imports(found, job))
    if found.typing:
        head += ["", "if TYPE_CHECKING:"]
        head += [line and f"    {line}" for line in _import_lines(found.typing)]
    body = "\n".join(head) + "\n" + _definitions(found.ordered()) + _main(job)
    text = re.sub(r"[ \t]+\n", "\n", body)
    return f"{text}# written by tn.export, sha256 {_digest(text)}\n"


def _own_imports(found: Collection, job: Job) -> set[str]:
    """Return what `main` needs; refuse names of the user that it would hide."""
    taken = {"main", "run_script"} & set(found.values)
    has_settings = bool(_settings_lines("rules", job.rules)) or job.account is not None
    if has_settings and getattr(found.values.get("tn"), "__name__", "tradenb") != "tradenb":
        taken.add("tn")
    if taken:
        raise ExportError(f"the script needs the name {min(taken)} for itself; rename yours")
    own = {_RUN_SCRIPT} | ({"import tradenb as tn"} if has_settings else set())
    return own if job.home.is_absolute() else own | {_PATH}


def _home_text(home: Path) -> str:
    """Write a folder down; one beside the script goes where the script goes."""
    if home.is_absolute():
        return literal(str(home))
    beside = "Path(__file__).resolve().parent"
    return f"str({beside} / {literal(home.as_posix())})" if home.parts else f"str({beside})"


def is_ours(text: str) -> bool:
    """Tell whether a file was written by an export, and not changed since."""
    found = _MARK.match(text)
    return found is not None and found[2] == _digest(found[1])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _docstring(job: Job, secrets: Iterable[str], file: str, verified: str) -> str:
    what = f"{', '.join(job.strategies)} on {', '.join(job.symbols)}"
    is_paper = job.broker_name is None
    does = "trade on paper" if is_paper else "trade as `broker` says"
    dry = [f"    python {file} --dry-run    show what it would do now; changes nothing"]
    lines = [
        f'"""{what}, exported from a notebook by tradenb {__version__}.',
        "",
        f"    python {file}              {does} until it is stopped",
        f"    python {file} --take-over  take the run over from who has it, position and all",
        *(dry if is_paper else []),
        f"    python {file} --help       all settings and exit codes",
        "",
        *textwrap.wrap(verified, WIDTH),
    ]
    names = sorted(secrets)
    if names:
        lines += ["", *textwrap.wrap(f"It reads {', '.join(names)} from the environment.", WIDTH)]
    first, *others = [line.replace("\\", "\\\\") for line in lines]
    safe = [first[:3] + first[3:].replace('"', "'"), *(line.replace('"', "'") for line in others)]
    return "\n".join([*safe, '"""'])


def _import_lines(lines: Iterable[str]) -> list[str]:
    """Return imports in the usual order: the standard library, packages, ours among them."""

    def top(line: str) -> str:
        return line.split()[1].partition(".")[0]

    known = sys.stdlib_module_names
    standard = sorted((line for line in lines if top(line) in known), key=_order)
    others = sorted((line for line in lines if top(line) not in known), key=_order)
    return [*standard, *([""] if standard and others else []), *others]


def _order(line: str) -> tuple[bool, str]:
    return line.startswith("from"), line.lower()


def _definitions(parts: list[Part]) -> str:
    """Return the definitions with the empty lines that Python's style guide wants."""
    text, before = "", None
    for part in parts:
        apart = part.is_block or (before is not None and before.is_block)
        gap = "\n\n" if apart else "\n" if before is None or "\n" in part.text else ""
        text += f"{gap}{part.text.strip(chr(10))}\n"
        before = part
    return text


def _main(job: Job) -> str:
    several = len(job.strategy_names) > 1
    strategies = ", ".join(job.strategy_names)
    lines = [
        "",
        "",
        "def main() -> int:",
        '    """Run until it is stopped; the exit code says how it ended."""',
        "    return run_script(",
        f"        {_listed(job.symbols)},",
        f"        strategy={f'[{strategies}]' if several else strategies},",
        f"        exchange={job.exchange_name},",
        *_settings_lines("rules", job.rules),
        *(
            _settings_lines("account", job.account)
            if job.broker_name is None
            else [f"        broker={job.broker_name},"]
        ),
        f"        home={_home_text(job.home)},",
        *_notify_lines(job.notify),
        "    )",
        "",
        "",
        'if __name__ == "__main__":',
        "    raise SystemExit(main())",
        "",
    ]
    return "\n".join(lines)


def _listed(symbols: tuple[str, ...]) -> str:
    return literal(symbols[0]) if len(symbols) == 1 else literal(list(symbols))


def environment_of(services: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return the environment variables that hold the URLs of notification services."""
    given = (service.get(name) for service in services for name in ("url", "heartbeat"))
    return {str(text).removeprefix("env:") for text in given if str(text).startswith("env:")}


def _notify_lines(services: Sequence[Mapping[str, Any]]) -> list[str]:
    if not services:
        return []
    lines = ["        notify=["]
    for service in services:
        given = {name: value for name, value in service.items() if value is not None}
        lines += ["            {"]
        lines += [f"                {literal(k)}: {literal(v)}," for k, v in given.items()]
        lines += ["            },"]
    return [*lines, "        ],"]


def _settings_lines(name: str, given: Rules | Account | None) -> list[str]:
    """Return the argument `name` of the script's call: what differs from the default settings."""
    changed: Mapping[str, Any] = {} if given is None else given.model_dump(exclude_defaults=True)
    if not changed:
        return []
    items = [f"{field}={literal(value)}" for field, value in changed.items()]
    made = f"tn.{type(given).__name__}"
    line = f"        {name}={made}({', '.join(items)}),"
    if len(line) <= WIDTH:
        return [line]
    inside = ", ".join(items)
    if len(inside) + 12 <= WIDTH:
        return [f"        {name}={made}(", f"            {inside}", "        ),"]
    return [f"        {name}={made}(", *(f"            {item}," for item in items), "        ),"]
