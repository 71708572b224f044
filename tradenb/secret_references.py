"""Secrets by reference: where they are, never what they are.

A user passes `env:NAME` or `keyring:SERVICE/USER`. The value is read when it is used and stays with
what needs it: an exchange's client, a notification service. What is shown, pickled or written holds
references only, and every value that was read is taken out of logs (`redact_filter`).
"""

from __future__ import annotations

import base64
import logging
import os
from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

from tradenb.errors import UsageError

REFERENCES: Final = ("env:", "keyring:")
"""How texts begin that say where a secret is."""

_SHORTEST: Final = 4
_PART: Final = 8


def is_reference(value: object) -> bool:
    """Tell whether a value says where a secret is.

    Examples
    --------
    >>> is_reference("env:TELEGRAM_URL"), is_reference("https://example.com/token")
    (True, False)
    """
    return isinstance(value, str) and value.startswith(REFERENCES)


def read_reference(what: str, reference: str) -> str:
    """Read the secret that a reference names; `what` it is for is in the errors.

    Raises
    ------
    UsageError
        When it is not there; the message names the place, never a value.
    """
    kind, _, place = reference.partition(":")
    if kind == "env":
        value = os.environ.get(place)
        if not value:
            raise UsageError(f"{what}: the environment variable {place!r} is not set")
    else:
        value = _of_keyring(what, reference)
    redact_filter.secrets.update(spellings(value))
    return value


def redacted(text: str, secrets: Iterable[str]) -> str:
    """Return a text without secrets, however they are encoded (URL, repr, hex, base64).

    Examples
    --------
    >>> redacted("GET /x?key=abcd1234efgh&y", ["abcd1234efgh"])
    'GET /x?key=***&y'
    """
    for secret in secrets:
        text = without(text, spellings(secret))
    return text


def without(text: str, spelled: Iterable[str]) -> str:
    """Return a text without some spellings, the longest first."""
    for spelling in sorted(spelled, key=len, reverse=True):
        text = text.replace(spelling, "***")
    return text


def spellings(secret: str) -> set[str]:
    """Return the forms in which a secret, or a secret part of a URL, may be in a text."""
    found: set[str] = set()
    for part in {secret, *_url_parts(secret)}:
        raw = part.encode()
        found |= {part, quote(part, safe=""), repr(part)[1:-1], raw.hex()}
        found |= {base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()}
        if len(part) >= 3 * _PART and "://" not in part:
            found |= {part[:_PART], part[-_PART:]}
    return {item for item in found if len(item) >= _SHORTEST}


class RedactFilter(logging.Filter):
    """Takes secrets out of what other packages log: at DEBUG, requests, addresses and headers."""

    def __init__(self) -> None:
        super().__init__()
        self.secrets: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Let the record pass, without secrets."""
        if self.secrets:
            record.msg, record.args = without(record.getMessage(), set(self.secrets)), ()
        return True


redact_filter: Final = RedactFilter()
"""The filter of this process, with the spellings of every secret that was read."""


def _url_parts(secret: str) -> Iterator[str]:
    """Return what a URL holds that may be logged without the rest: user, password, path, query."""
    if "://" not in secret:
        return
    try:
        parts = urlsplit(secret)
    except ValueError:
        return
    if parts.password is not None:
        yield from (parts.password, unquote(parts.password))
        yield f"{unquote(parts.username or '')}:{unquote(parts.password)}"
    for item in (*parts.path.split("/"), *parts.query.split("&"), parts.fragment):
        value = item.rpartition("=")[2]
        # Short ones are words such as "api" or "v1", which other texts hold as well.
        if len(value) >= _PART:
            yield from (value, unquote(value))


def _of_keyring(what: str, reference: str) -> str:
    service, _, user = reference.removeprefix("keyring:").rpartition("/")
    try:
        keyring: Any = import_module("keyring")
    except ImportError:
        raise UsageError(
            f"{what}={reference!r} needs the package keyring: pip install keyring"
        ) from None
    value = keyring.get_password(service, user)
    if not value:
        raise UsageError(
            f"{what}: the keyring has no password for user {user!r} of service {service!r}"
        )
    return str(value)
