"""Errors of ccxt as errors of ours: which of them are worth a retry, and when.

ccxt's exceptions are recognised by the names of their classes, so nothing is imported here. The
message is written from scratch: an exception of ccxt or aiohttp holds headers and requests, which
no traceback may show.

| ccxt | here | retry? |
|---|---|---|
| RateLimitExceeded, DDoSProtection, 429, 418 | ExchangeError | yes, after `retry_after` |
| no connection, timeouts, TLS and its certificates | ExchangeError | yes |
| a response of too many bytes (`bounded_response.py`) | ExchangeError | yes |
| NetworkError (5xx, maintenance), broken responses | ExchangeError | yes |
| BadSymbol | UnknownName | no |
| everything else (refused keys and requests, unsupported calls) | ExchangeError | no |
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Final

from tradenb.core.timeframe import iso
from tradenb.errors import MAX_RETRY_S, CandleError, ExchangeError, TradenbError, UnknownName

DEFAULT_RETRY_S: Final = 10.0
_MAX_CHARS: Final = 300

_CERTIFICATE: Final = {
    "ClientConnectorCertificateError", "SSLCertVerificationError", "CertificateError",
}  # fmt: skip
_NO_TLS: Final = {"ClientConnectorSSLError", "ClientSSLError", "SSLError"}
_UNREACHABLE: Final = {"ClientConnectorError", "gaierror", "ConnectionRefusedError"}
_TIMED_OUT: Final = {"TimeoutError", "RequestTimeout"}
_RATE_LIMITED: Final = {"RateLimitExceeded", "DDoSProtection"}
_TEMPORARY: Final = {"OperationFailed", "NetworkError", "BadResponse", "ClientError"}
_HTML: Final = re.compile(r"<(!doctype|html|head|body)\b.*", re.IGNORECASE)
# ccxt puts exchange, method and address before what the exchange said.
_REQUEST_LINE: Final = re.compile(r"\b\w+ (GET|POST|PUT|DELETE) https?://\S+ ?")
_BANNED: Final = re.compile(r"banned until (\d{13})")
# What ccxt raises for a response in another form: HTML, half a JSON, an empty body.
_UNREADABLE: Final = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError)


def translate_error(
    error: BaseException, *, what: str, headers: Mapping[str, str], now_ms: int
) -> TradenbError:
    """Return the error to raise instead of one of ccxt's; `what` was requested at `now_ms`, UTC."""
    names = _names(error) | _names(error.__cause__)
    if "ResponseTooLarge" in names:
        found = error if type(error).__name__ == "ResponseTooLarge" else error.__cause__
        return ExchangeError(f"{what}: {found}", retryable=True)
    if names & _CERTIFICATE:
        return ExchangeError(f"{what}: {_certificate_words(error)}", retryable=True)
    if names & _NO_TLS:
        words = f"{what}: the TLS handshake failed; check the address, and any proxy in between"
        return ExchangeError(words, retryable=True)
    if names & _UNREACHABLE:
        words = f"{what}: the exchange cannot be reached; check the network"
        return ExchangeError(words, retryable=True)
    if names & _TIMED_OUT:
        words = f"{what}: the exchange did not respond in time; check the network"
        return ExchangeError(words, retryable=True)
    said = describe_error(error)
    if names & _RATE_LIMITED:
        pause = retry_after_s(said, headers, now_ms)
        until = iso(now_ms + round(pause * 1000) // 1000 * 1000)
        words = f"{what}: rate limited; retry after {until} ({said})"
        return ExchangeError(words, retryable=True, retry_after=pause)
    if "BadSymbol" in names:
        return UnknownName(f"{what}: {said}")
    if names & _TEMPORARY:
        return ExchangeError(f"{what}: the request failed ({said})", retryable=True)
    if isinstance(error, _UNREADABLE):
        return ExchangeError(f"{what}: the response cannot be read ({said})", retryable=True)
    return ExchangeError(f"{what}: the exchange refused the request ({said})")


def _certificate_words(error: BaseException) -> str:
    """Say that a certificate was refused, and why as far as the TLS library says so."""
    found: BaseException | None = error
    why = ""
    while found is not None and not why:
        why = str(getattr(found, "verify_message", ""))
        found = getattr(found, "certificate_error", None) or found.__cause__
    reason = f" ({why})" if why else ""
    return (
        f"the certificate of the exchange was refused{reason}; check the clock of this machine, "
        "and whether a proxy or a company network replaces certificates"
    )


def located(error: CandleError, where: str, *, retryable: bool = False) -> CandleError:
    """Return the error with a place in front; retryable if the next response may be better."""
    found = CandleError(f"{where}: {error}", code=error.code, index=error.index)
    found.retryable = retryable
    return found


def retry_after_s(said: str, headers: Mapping[str, str], now_ms: int) -> float:
    """Return after how many seconds to retry: as the exchange says, or a default."""
    lower = {name.lower(): value for name, value in headers.items()}
    given = lower.get("retry-after", "").strip()
    banned = _BANNED.search(said)
    if given.isdecimal():
        pause = float(given)
    elif given:
        pause = _seconds_until(given)
    elif banned:
        pause = (int(banned[1]) - now_ms) / 1000
    else:
        pause = DEFAULT_RETRY_S
    return min(max(pause, 0.0), MAX_RETRY_S)


def describe_error(error: BaseException) -> str:
    """Return an error in one line: its class, and what it says."""
    words = _HTML.sub("a page of HTML", _REQUEST_LINE.sub("", " ".join(str(error).split())))
    short = words if len(words) <= _MAX_CHARS else words[: _MAX_CHARS - 3] + "..."
    return f"{type(error).__name__}: {short}" if short else type(error).__name__


def _seconds_until(date: str) -> float:
    try:
        return parsedate_to_datetime(date).timestamp() - time.time()
    except ValueError:
        return DEFAULT_RETRY_S


def _names(error: BaseException | None) -> set[str]:
    return {kind.__name__ for kind in type(error).__mro__}
