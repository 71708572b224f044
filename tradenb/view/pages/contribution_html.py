"""Who made the money of a run with an account: symbols and strategies, for the notebook cell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from tradenb.view.formatting import escaped, number, percent, tone

Key = tuple[str, str]
_MOST: Final = 8


def contribution_html(made: Mapping[Key, float], cash: float) -> str:
    """Render what symbols and strategies contributed; nothing where there is only one of each.

    Parameters
    ----------
    made : mapping of (strategy, symbol) to float
        Quote currency, what is open included.
    cash : float
        Of the account at the beginning.
    """
    tables = [
        _table(title, _summed(made, name_of), cash)
        for title, name_of in (("Symbol", _symbol), ("Strategy", _strategy))
        if len({name_of(key) for key in made}) > 1
    ]
    if not tables:
        return ""
    return (
        '<p class="tnb-caption">Contribution to the net profit, what is open included</p>'
        f'<div class="tnb-beside">{"".join(tables)}</div>'
    )


def _symbol(key: Key) -> str:
    return key[1]


def _strategy(key: Key) -> str:
    return key[0]


def _summed(made: Mapping[Key, float], name_of: Callable[[Key], str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for key, value in made.items():
        found[name_of(key)] = found.get(name_of(key), 0.0) + value
    return found


def _table(title: str, made: Mapping[str, float], cash: float) -> str:
    """Return the best and the worst; the rest is one line."""
    ordered = sorted(made.items(), key=lambda item: -item[1])
    if len(ordered) > _MOST:
        half = _MOST // 2
        best, between, worst = ordered[:half], ordered[half:-half], ordered[-half:]
        rest = (f"{len(between):,} between", sum(value for _, value in between))
        ordered = [*best, rest, *worst]
    rows = "".join(
        f'<tr><th scope="row">{escaped(name, 40)}</th>'
        f'<td class="tnb-right tnb-{tone(value)}">{number(value, plus=True)}</td>'
        f'<td class="tnb-right">{percent(value / cash * 100, plus=True)}</td></tr>'
        for name, value in ordered
    )
    heads = f'<th scope="col">{title}</th>' + "".join(
        f'<th scope="col" class="tnb-right">{name}</th>' for name in ("money", "of the cash")
    )
    return (
        f'<div class="tnb-scroll"><table class="tnb-table"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )
