"""The secrets among the options of an exchange: keys, and those in proxies, headers and URLs.

Anywhere in the options `env:NAME` or `keyring:SERVICE/USER` says where a value is. It is read when
the client is made and stays inside it. What is shown, pickled or written holds references only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from tradenb.errors import UsageError
from tradenb.secret_references import is_reference, read_reference

SECRET_FIELDS: Final = frozenset(
    {
        "apiKey",
        "secret",
        "uid",
        "accountId",
        "login",
        "password",
        "twofa",
        "privateKey",
        "walletAddress",
        "token",
    }
)
"""The options of ccxt's constructor that are secrets."""

_SECRET_NAME: Final = re.compile(
    r"auth|cookie|passw|passphrase|secret|token|signature|api[-_]?key|access[-_]?key|[-_]key$|^key$",
    re.IGNORECASE,
)
"""Names of headers and of parts of a query whose values are secrets."""


def check_secrets(options: Mapping[str, Any]) -> None:
    """Refuse secrets in plain text; the value is never in the message.

    Raises
    ------
    UsageError
        When a secret is not a reference, or `verbose` would print it.
    """
    given = sorted(SECRET_FIELDS & options.keys())
    for field in given:
        if not is_reference(options[field]):
            raise UsageError(f"{field} {_ADVICE}")
    references = [where for where, value in _texts(options) if is_reference(value)]
    for where, value in _texts(options):
        problem = "" if is_reference(value) else _secret_in(where, value)
        if problem:
            raise UsageError(f"{where} holds {problem}; it {_ADVICE}")
    if references and options.get("verbose"):
        raise UsageError(f"verbose=True prints secrets; remove verbose or {references[0]}")


def read_secrets(options: Mapping[str, Any]) -> dict[str, str]:
    """Read the secrets that options refer to, by where; a UsageError names one that is missing."""
    return {
        where: read_reference(where, value)
        for where, value in _texts(options)
        if is_reference(value)
    }


def with_secrets(options: Mapping[str, Any], secrets: Mapping[str, str]) -> dict[str, Any]:
    """Return options with the values of `read_secrets` in the places of their references."""

    def put(value: Any, where: str) -> Any:
        if isinstance(value, Mapping):
            return {key: put(item, _inside(where, key)) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return type(value)([put(item, _inside(where, n)) for n, item in enumerate(value)])
        return secrets.get(where, value)

    return {name: put(value, name) for name, value in options.items()}


_ADVICE: Final = (
    "must say where the secret is, as 'env:NAME' or 'keyring:SERVICE/USER'; a secret in a "
    "notebook ends up in its file, its history and its backups"
)


def _texts(value: Any, where: str = "") -> Iterator[tuple[str, str]]:
    """Return every text in options, with its place such as headers['X-Key']."""
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(item, _inside(where, key))
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from _texts(item, _inside(where, number))


def _inside(where: str, key: object) -> str:
    return f"{where}[{key!r}]" if where else str(key)


def _secret_in(where: str, text: str) -> str:
    """Say what is secret about a plain text in the options; empty if nothing is."""
    header = re.fullmatch(r"headers\['(.*)'\]", where)
    if header is not None and _SECRET_NAME.search(header[1]):
        return "a secret in plain text"
    if "://" not in text:
        return ""
    try:
        parts = urlsplit(text)
        query = parse_qsl(parts.query)
    except ValueError:
        return ""
    if parts.password:
        return "a user and a password"
    if any(_SECRET_NAME.search(name) for name, _ in query):
        return "a secret in its query"
    return ""
