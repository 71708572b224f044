"""How numbers, moments and names are written for people, in the notebook cell and in the report.

Nothing depends on the locale: the same run gives the same page everywhere. Names and
notes of users pass through `escaped` before they become HTML.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Sequence
from typing import Final

from tradenb.core.timeframe import DAY, MINUTE, iso
from tradenb.statistics.figure_names import ALL_UNITS

NOT_AVAILABLE: Final = "N/A"
MONTHS: Final = (
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
)  # fmt: skip
_MINUS: Final = "\N{MINUS SIGN}"
_MOST_DIGITS: Final = 12  # after the point; a number that needs more is written with a power of ten
# Characters that HTML does not allow, and those that turn the direction of the text around them.
_UNWANTED: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def escaped(text: object, limit: int = 0) -> str:
    """Make HTML that shows the text and does nothing else; longer than `limit` (if any) is cut.

    Examples
    --------
    >>> escaped("<b>up</b>", limit=5)
    '&lt;b&gt;u…'
    """
    plain = _UNWANTED.sub("\N{REPLACEMENT CHARACTER}", str(text))
    plain = plain.encode("utf-8", "replace").decode("utf-8")
    if limit and len(plain) > limit:
        plain = plain[: limit - 1] + "…"
    return html.escape(plain)


def listed(names: Sequence[str], most: int = 6) -> str:
    """Write names as escaped HTML, the first few of many.

    Examples
    --------
    >>> listed(["BTCUSDT", "ETHUSDT", "ADAUSDT"], most=2)
    'BTCUSDT, ETHUSDT + 1 more'
    """
    shown = ", ".join(escaped(name, 60) for name in names[:most])
    return f"{shown} + {len(names) - most} more" if len(names) > most else shown


def number(value: float | None, digits: int = 2, *, plus: bool = False) -> str:
    """Write a number with thousands separated, a real minus sign and N/A for NaN.

    Examples
    --------
    >>> number(12345.678, 1, plus=True)
    '+12,345.7'
    """
    if value is None or math.isnan(value):
        return NOT_AVAILABLE
    if value and digits > _MOST_DIGITS:
        shown = f"{value:.6g}"
    elif math.isinf(value) or abs(value) >= 1e9:
        shown = f"{value:.3g}".replace("inf", "∞")
    else:
        shown = f"{round(value, digits) + 0.0:,.{digits}f}"  # + 0.0 makes -0.0 a 0
    above = plus and value > 0 and any(digit in shown for digit in "123456789∞")
    return ("+" if above else "") + shown.replace("-", _MINUS)


def percent(value: float | None, digits: int = 2, *, plus: bool = False) -> str:
    r"""Write a percentage, as `number` does.

    Examples
    --------
    >>> percent(1.5, plus=True)
    '+1.50\xa0%'
    """
    shown = number(value, digits, plus=plus)
    return shown if shown == NOT_AVAILABLE else f"{shown}\xa0%"


def price(value: float | None) -> str:
    """Write a price with as many digits as its size needs.

    Examples
    --------
    >>> price(64123.5), price(0.0712)
    ('64,123.50', '0.07120')
    """
    if value is None or math.isnan(value):
        return NOT_AVAILABLE
    size = math.floor(math.log10(abs(value))) if value and math.isfinite(value) else 0
    most = _MOST_DIGITS if size >= -_MOST_DIGITS else 3 - size
    return number(value, 2 if size >= 3 else min(max(3 - size, 2), most))


def duration(minutes: float) -> str:
    r"""Write how long something took.

    Examples
    --------
    >>> duration(192.4), duration(4320)
    ('3\xa0h 12\xa0min', '3\xa0d 0\xa0h')
    """
    if math.isnan(minutes):
        return NOT_AVAILABLE
    hours, left = divmod(round(minutes), 60)
    if hours >= 48:
        return f"{hours // 24:,}\xa0d {hours % 24}\xa0h"
    return f"{hours}\xa0h {left}\xa0min" if hours else f"{left}\xa0min"


def figure(name: str, value: float) -> str:
    """Write a figure of the statistics with its unit.

    Examples
    --------
    >>> figure("profit_factor", 1.25), figure("count", 1200)
    ('1.250', '1,200')
    """
    match ALL_UNITS.get(name, "ratio"):
        case "count":
            return number(value, 0)
        case "minutes":
            return duration(value)
        case "ratio" | "fraction":
            return number(value, 3)
        case "per year":
            return number(value, 1)
        case "%":
            return percent(value)
        case "money":
            return number(value)
        case unit:
            shown = number(value)
            return shown if shown == NOT_AVAILABLE else f"{shown}\xa0{unit}"


def period(start: int, end: int) -> str:
    """Write the bounds of a run and its length.

    Examples
    --------
    >>> period(1_709_251_200_000, 1_711_065_600_000)
    '2024-03-01 to 2024-03-22 UTC, 21 days'
    """
    whole = start % DAY == 0 and end % DAY == 0
    first, last = (iso(at)[:10] if whole else iso(at) for at in (start, end))
    return f"{first} to {last} UTC, {_span(end - start)}"


def plural(count: int, noun: str) -> str:
    """Write a count with its noun.

    Examples
    --------
    >>> plural(1, "trade"), plural(1200, "trade")
    ('1 trade', '1,200 trades')
    """
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def milestone_words(level: int) -> str:
    """Say what a milestone means: how far the price has come, which is no result.

    Examples
    --------
    >>> milestone_words(90), milestone_words(-40)
    ('90 % of the way to the target', '40 % of the way to the stop')
    """
    return f"{abs(level)} % of the way to the {'target' if level > 0 else 'stop'}"


def tone(value: float | None) -> str:
    """Name the colour class of a result: "up", "down" or "even"."""
    if value is None or math.isnan(value) or value == 0:
        return "even"
    return "up" if value > 0 else "down"


def _span(ms: int) -> str:
    if ms >= 2 * DAY:
        return plural(round(ms / DAY), "day")
    return duration(ms / MINUTE)
