"""The outside of notifications: a service through apprise, and the GET of a heartbeat.

The one file that imports apprise. Its URLs are secrets: they are read from their references here
and stay here; what apprise and the packages below it log goes through the redact filter.
"""

from __future__ import annotations

import logging
import urllib.request
import warnings
from importlib import import_module
from typing import Any, Final

from tradenb.errors import UsageError
from tradenb.secret_references import (
    is_reference,
    read_reference,
    redact_filter,
    redacted,
    without,
)

log = logging.getLogger("tradenb")

HEARTBEAT_S: Final = 10.0
_LOGGERS: Final = ("apprise", "requests", "urllib3.connectionpool")


class ServiceUrl:
    """The services of a reference; an environment variable may hold several URLs."""

    def __init__(self, reference: str) -> None:
        self._services = _services(reference)
        self._failing: list[Any] = []

    def send(self, title: str, body: str, *, again: bool) -> bool:
        """Deliver a message and tell whether all took it; `again` only to those that did not."""
        targets = self._failing if again else self._services
        self._failing = [service for service in targets if not _delivered(service, title, body)]
        return not self._failing

    def __reduce__(self) -> Any:
        raise TypeError("a notification service holds secrets and is not pickled")

    def __repr__(self) -> str:
        return f"<{len(self._services)} notification services>"


class Heartbeat:
    """A URL that a dead-man service expects to be asked for regularly.

    Parameters
    ----------
    reference : str
        Where the URL is; it is read at each beat and not kept.
    """

    def __init__(self, reference: str) -> None:
        self.reference = reference
        _heartbeat_url(reference)

    def beat(self) -> str:
        """Ask for the URL; return what went wrong, without the URL, or nothing."""
        url = ""
        try:
            url = _heartbeat_url(self.reference)
            opener = urllib.request.build_opener()
            with opener.open(url, timeout=HEARTBEAT_S) as response:
                response.read(1)
        except (OSError, ValueError) as error:
            return redacted(f"{type(error).__name__}: {error}", [url] if url else [])
        return ""


def check_reference(what: str, given: object) -> str:
    """Return a reference to a URL; refuse a URL in plain text, and do not show it."""
    if is_reference(given):
        return str(given)
    raise UsageError(
        f"{what} must say where the URL is, as 'env:NAME' or 'keyring:SERVICE/USER'; the URL of a "
        "notification service is a secret, and a notebook ends up in its file, its history and "
        "its backups"
    )


def _services(reference: str) -> list[Any]:
    apprise = _apprise()
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(redact_filter)
    made = apprise.Apprise()
    url = read_reference("notify", reference)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the plugins, which are all loaded here
        known = made.add(url)
    if not known or not len(made):
        raise UsageError(
            f"{reference} does not hold a URL that apprise knows, such as "
            "tgram://TOKEN/CHAT or mailto://...; its list is in the documentation of apprise"
        )
    services = [*made]
    for service in services:
        service.notify_format = apprise.NotifyFormat.TEXT  # what users write stays words
    return services


def _delivered(service: Any, title: str, body: str) -> bool:
    """Deliver on this thread; apprise's own `notify` uses threads that an exit waits for."""
    try:
        return bool(service.notify(title=title, body=body, body_format="text"))
    except Exception as error:  # noqa: BLE001 - plugins of apprise, of which there are a hundred
        words = without(f"{type(error).__name__}: {error}", set(redact_filter.secrets))
    log.warning("a notification service failed: %s", words)
    return False


def _apprise() -> Any:
    try:
        return import_module("apprise")
    except ImportError:
        raise UsageError(
            "tn.notify needs the package apprise: pip install 'tradenb[notify]'"
        ) from None


def _heartbeat_url(reference: str) -> str:
    url = read_reference("heartbeat", reference)
    if not url.startswith(("https://", "http://")):
        raise UsageError(f"{reference} must hold a URL that begins with https:// or http://")
    return url
