"""Secrets by reference: where they are, never what they are.

An exchange gets `env:NAME` or `keyring:SERVICE/USER`. The value is read when the client is made and
stays inside it. What is shown, pickled or written holds references only.
"""

from __future__ import annotations

import base64
import logging
import os
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any, Final
from urllib.parse import quote

from tradenb.errors import UsageError

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

_SHORTEST: Final = 4
_PART: Final = 8


def check_secrets(options: Mapping[str, Any]) -> None:
    """Refuse secrets in plain text; the value is never in the message.

    Raises
    ------
    UsageError
        When a secret is not a reference, or `verbose` would print it.
    """
    given = sorted(SECRET_FIELDS & options.keys())
    for field in given:
        value = options[field]
        if not (isinstance(value, str) and value.startswith(("env:", "keyring:"))):
            raise UsageError(
                f"{field} must say where the secret is, as 'env:NAME' or 'keyring:SERVICE/USER'; "
                "a secret in a notebook ends up in its file, its history and its backups"
            )
    if given and options.get("verbose"):
        raise UsageError(f"verbose=True prints secrets; remove verbose or {given[0]}")


def read_secrets(options: Mapping[str, Any]) -> dict[str, str]:
    """Read the secrets that options refer to; a UsageError names one that is missing."""
    return {field: _read(field, options[field]) for field in SECRET_FIELDS & options.keys()}


def redacted(text: str, secrets: Iterable[str]) -> str:
    """Return a text without secrets, however they are encoded (URL, repr, hex, base64).

    Examples
    --------
    >>> redacted("GET /x?key=abcd1234efgh&y", ["abcd1234efgh"])
    'GET /x?key=***&y'
    """
    for secret in secrets:
        for spelling in sorted(_spellings(secret), key=len, reverse=True):
            text = text.replace(spelling, "***")
    return text


class RedactFilter(logging.Filter):
    """Takes secrets out of what ccxt logs: at DEBUG, every request and header."""

    def __init__(self) -> None:
        super().__init__()
        self.secrets: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Let the record pass, without secrets."""
        if self.secrets:
            record.msg, record.args = redacted(record.getMessage(), self.secrets), ()
        return True


redact_filter: Final = RedactFilter()
"""The filter of this process, with every secret that was read."""


def _spellings(secret: str) -> set[str]:
    raw = secret.encode()
    found = {secret, quote(secret, safe=""), repr(secret)[1:-1], raw.hex()}
    found |= {base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()}
    if len(secret) >= 3 * _PART:
        found |= {secret[:_PART], secret[-_PART:]}
    return {item for item in found if len(item) >= _SHORTEST}


def _read(field: str, reference: str) -> str:
    kind, _, place = reference.partition(":")
    if kind == "env":
        value = os.environ.get(place)
        if not value:
            raise UsageError(f"{field}: the environment variable {place!r} is not set")
        return value
    service, _, user = place.rpartition("/")
    try:
        keyring = import_module("keyring")
    except ImportError:
        raise UsageError(
            f"{field}={reference!r} needs the package keyring: pip install keyring"
        ) from None
    value = keyring.get_password(service, user)
    if not value:
        raise UsageError(
            f"{field}: the keyring has no password for user {user!r} of service {service!r}"
        )
    return str(value)
