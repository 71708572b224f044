"""What an exchange refused, in our own errors: which of them are worth trying again, and when.

ccxt's exceptions are told apart by the names of their classes, so nothing is imported here. The
words are made anew: an exception of ccxt or aiohttp holds headers and requests, and what is shown
of a traceback must not.

| ccxt | here | again? |
|---|---|---|
| RateLimitExceeded, DDoSProtection, 429, 418 | ExchangeError | yes, after `retry_after` |
| no connection, time-outs | ExchangeError | yes |
| NetworkError (5xx, maintenance), broken answers | ExchangeError | yes |
| BadSymbol | UnknownName | no |
| all else (refused keys and requests, what is not supported) | ExchangeError | no |
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Final

from tradenb.core.timeframe import iso
from tradenb.errors import ExchangeError, TradenbError, UnknownName

DEFAULT_PAUSE_S: Final = 10.0
LONGEST_PAUSE_S: Final = 3 * 86_400.0
_SHOWN: Final = 300

_UNREACHED: Final = {"ClientConnectorError", "gaierror", "ConnectionRefusedError"}
_SILENT: Final = {"TimeoutError", "RequestTimeout"}
_LIMITED: Final = {"RateLimitExceeded", "DDoSProtection"}
_PASSING: Final = {"OperationFailed", "NetworkError", "BadResponse", "ClientError"}
_HTML: Final = re.compile(r"<(!doctype|html|head|body)\b.*", re.IGNORECASE)
# ccxt puts exchange, method and address before what was answered.
_ASKED: Final = re.compile(r"\b\w+ (GET|POST|PUT|DELETE) https?://\S+ ?")
_BANNED: Final = re.compile(r"banned until (\d{13})")
# What code that expects an answer in another form raises: HTML, half a JSON, an empty body.
_UNREADABLE: Final = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError)


def refusal(
    error: BaseException, *, what: str, headers: Mapping[str, str], now_ms: int
) -> TradenbError:
    """Return the error to raise instead of one of ccxt's.

    Parameters
    ----------
    error : BaseException
    what : str
        What was asked for, such as "binance: candles of BTCUSDT".
    headers : mapping
        Of the last answer.
    now_ms : int
        The time of the exchange, ms UTC.
    """
    names = _names(error) | _names(error.__cause__)
    if names & _UNREACHED:
        words = "the exchange cannot be reached; check the network"
        return ExchangeError(f"{what} could not be had: {words}", retryable=True)
    if names & _SILENT:
        words = "no answer came in time; check the network"
        return ExchangeError(f"{what} could not be had: {words}", retryable=True)
    said = shown(error)
    if names & _LIMITED:
        pause = pause_s(said, headers, now_ms)
        until = iso(now_ms + round(pause * 1000) // 1000 * 1000)
        words = f"{what}: too many requests; it wants to be left alone until {until} ({said})"
        return ExchangeError(words, retryable=True, retry_after=pause)
    if "BadSymbol" in names:
        return UnknownName(f"{what}: {said}")
    if names & _PASSING:
        return ExchangeError(f"{what} could not be had ({said})", retryable=True)
    if isinstance(error, _UNREADABLE):
        return ExchangeError(f"{what}: the answer cannot be read ({said})", retryable=True)
    return ExchangeError(f"{what} was refused: {said}")


def pause_s(said: str, headers: Mapping[str, str], now_ms: int) -> float:
    """Return how long an exchange wants to be left alone, s, as far as it says so."""
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
        pause = DEFAULT_PAUSE_S
    return min(max(pause, 0.0), LONGEST_PAUSE_S)


def shown(error: BaseException) -> str:
    """Return the words of an error: its kind, and one line of what it says."""
    words = _HTML.sub("a page of HTML", _ASKED.sub("", " ".join(str(error).split())))
    short = words if len(words) <= _SHOWN else words[: _SHOWN - 3] + "..."
    return f"{type(error).__name__}: {short}" if short else type(error).__name__


def _seconds_until(date: str) -> float:
    try:
        return parsedate_to_datetime(date).timestamp() - time.time()
    except ValueError:
        return DEFAULT_PAUSE_S


def _names(error: BaseException | None) -> set[str]:
    return {kind.__name__ for kind in type(error).__mro__}
