"""The table of a walk-forward in a notebook cell: a verdict, and a row a fold; no script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tradenb.view.asset_files import asset
from tradenb.view.formatting import NOT_AVAILABLE, escaped, number

if TYPE_CHECKING:
    import pandas

_FIXED: Final = (
    "in_start", "out_start", "out_end", "in_sample", "out_of_sample", "median", "rank", "better",
    "asks", "errors", "open", "open_pnl",
)  # fmt: skip


def walk_forward_html(table: pandas.DataFrame, verdict: str, *, holds: bool) -> str:
    """Render the table of `research.sweep.walk_forward`; the verdict is escaped already."""
    names = [name for name in table.columns if name not in _FIXED]
    heads = ["out of sample", *names, "in sample", "out of sample", "median", "others beaten"]
    head = "".join(
        f'<th{_left(place, len(names))} scope="col">{escaped(text, 40)}</th>'
        for place, text in enumerate(heads)
    )
    rows = "".join(_row(row, names) for row in table.to_dict("records"))
    tone = "tnb-up" if holds else "tnb-down"
    word = "The choice holds" if holds else "The choice does not hold"
    return (
        '<div class="tnb-summary" role="region" aria-label="Walk-forward">'
        f"<style>{asset('summary.css')}{asset('walk_forward.css')}</style>"
        f'<p class="tnb-head {tone}">{word}</p><p class="tnb-sub">{verdict}</p>'
        '<div class="tnb-scroll"><table class="tnb-walk">'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></div>"
    )


def _row(row: dict[Any, Any], names: list[str]) -> str:
    span = f"{row['out_start']:%Y-%m-%d} to {row['out_end']:%Y-%m-%d}"
    cells = [f'<td class="tnb-text">{span}</td>']
    cells += [f'<td class="tnb-text">{escaped(row[name], 40)}</td>' for name in names]
    cells += [
        f"<td>{number(row[name], 3)}</td>" for name in ("in_sample", "out_of_sample", "median")
    ]
    return f"<tr>{''.join(cells)}<td>{_rank(row['rank'])}</td></tr>"


def _rank(rank: float) -> str:
    if rank != rank:  # noqa: PLR0124 - NaN
        return NOT_AVAILABLE
    tone = "tnb-good" if rank > 50 else "tnb-poor"
    bar = f'<span class="tnb-bar {tone}"><i style="width:{rank:.0f}%"></i></span>'
    return f"{rank:.0f} %{bar}"


def _left(place: int, parameters: int) -> str:
    return ' class="tnb-text"' if place <= parameters else ""
