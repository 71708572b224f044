"""Secrets by what they look like: no script holds one, whatever it is called and wherever it is."""

from __future__ import annotations

import ast
import math
import re
from collections import Counter
from typing import Final

from tradenb.errors import ExportError
from tradenb.exporting.collect.statement_checks import named_texts
from tradenb.secret_references import is_reference

_FORMS: Final = tuple(
    (words, re.compile(pattern))
    for words, pattern in (
        ("a private key", r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
        ("a password in a URL", r"\b[a-z][a-z0-9+.-]*://[^/\s:@{}$<>]*:[^/\s@{}$<>]+@"),
        ("a token of a Telegram bot", r"(?<!\d)\d{6,12}:[A-Za-z0-9_-]{30,}"),
        ("an access key of AWS", r"\b(AKIA|ASIA)[0-9A-Z]{16}\b"),
        ("a token of GitHub", r"\b(gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{30,})"),
        ("a token of GitLab", r"\bglpat-[\w-]{20,}"),
        ("a token of Slack", r"\bxox[abeoprs]-[\w-]{10,}"),
        ("a webhook of Slack", r"hooks\.slack\.com/services/T\w+/B\w+/\w+"),
        ("a webhook of Discord", r"discord(app)?\.com/api/webhooks/\d+/[\w-]{20,}"),
        ("a key of OpenAI or Anthropic", r"\bsk-[\w-]{20,}"),
        ("a key of Stripe", r"\b[rs]k_live_\w{16,}"),
        ("a key of Google", r"\bAIza[0-9A-Za-z_-]{35}"),
        ("a JSON web token", r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}"),
    )
)
_TELLING: Final = re.compile(
    r"auth|bearer|cred|hook|key|login|passw|pin$|private|pwd|secret|signature|token", re.IGNORECASE
)
_HEX: Final = re.compile(r"[0-9a-f]{32,}|[0-9A-F]{32,}")
_MIXED: Final = tuple(
    re.compile(pattern)
    for pattern in (r"^[A-Za-z0-9+=_-][A-Za-z0-9+/=_-]{19,}$", "[a-z]", "[A-Z]", "[0-9]")
)
_ENTROPY: Final = 3.0  # bits a character; hexadecimal digits by chance have 3.5 in 32


def check_values(text: str) -> None:
    """Refuse a script that holds something which looks like a secret.

    Raises
    ------
    ExportError
        Naming what it is and where; never the value.
    """
    tree = ast.parse(text)
    lines = text.splitlines()
    names = {id_of: name for name, id_of in _places(tree)}
    for item in ast.walk(tree):
        if isinstance(item, ast.Constant) and isinstance(item.value, str | bytes):
            found = looks_like(item.value)
            if found:
                raise _refusal(found, names.get((item.lineno, item.col_offset), ""), item.lineno)
    for number, line in enumerate(lines, start=1):
        found = looks_like(line)
        if found:  # a comment
            raise _refusal(found, "", number)
    for name, value in named_texts(tree):
        if _TELLING.search(name) and not is_reference(value) and is_random(value):
            raise _refusal("what looks like a key or a token", name, 0)


def looks_like(value: str | bytes) -> str:
    """Say what secret a text looks like; "" if none.

    Examples
    --------
    >>> looks_like("postgresql://trader:hidden@db:5432/prod")
    'a password in a URL'
    >>> looks_like("https://api.binance.com/api/v3/klines")
    ''
    """
    words = value.decode("latin-1") if isinstance(value, bytes) else value
    return next((name for name, pattern in _FORMS if pattern.search(words)), "")


def is_random(value: str) -> bool:
    """Tell whether a text is long, of one word, and as mixed as chance makes it.

    Examples
    --------
    >>> is_random("http://127.0.0.1:41234/sapi/v1"), is_random("momentum_of_2024_in_hours")
    (False, False)
    """
    if _HEX.fullmatch(value) is None and not all(item.search(value) for item in _MIXED):
        return False
    counts = Counter(value).values()
    return -sum(n / len(value) * math.log2(n / len(value)) for n in counts) >= _ENTROPY


def _places(tree: ast.AST) -> list[tuple[str, tuple[int, int]]]:
    """Return where the texts are that are assigned to a name."""
    found = []
    for item in ast.walk(tree):
        match item:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                inside = [part for part in ast.walk(value) if isinstance(part, ast.Constant)]
                found += [(name, (part.lineno, part.col_offset)) for part in inside]
    return found


def _refusal(words: str, name: str, line: int) -> ExportError:
    where = f"`{name}`" if name else f"line {line} of the script"
    variable = name.upper() if name else "NAME"
    return ExportError(
        f"{where} holds {words}, and others can read the script. Take it from the environment: "
        f'{name or "name"} = os.environ["{variable}"]'
    )
