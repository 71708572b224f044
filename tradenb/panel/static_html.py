"""A dashboard where no widgets are: the same rows and pictures as inert HTML, of one moment."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tradenb.panel.dashboard_rows import KIND, RUN, TONE, WHEN, counted_words
from tradenb.view.asset_files import asset
from tradenb.view.formatting import escaped

if TYPE_CHECKING:
    from tradenb.panel.dashboard_model import DashboardModel
    from tradenb.panel.dashboard_rows import Row
    from tradenb.panel.order_panel import OrderPanel

_HEADS = ("run", "status", "position", "stop", "entry", "target", "price", "unrealised")
_WORDS = 3  # columns of words; those of numbers come after
_RIGHT = ' class="tnb-right"'
_EVENTS = 12


def dashboard_html(model: DashboardModel) -> str:
    """Render what a dashboard shows now, without buttons and without script."""
    now = datetime.now(UTC)
    words = [*model.health.get("words", ()), model.health.get("lateness") or ""]
    said = " · ".join(escaped(word, 120) for word in words if word)
    home = escaped(model.watch.home.root, 200)
    subline = f"{said} · home {home} · as of {now:%Y-%m-%d %H:%M} UTC"
    parts = [
        '<div class="tnb-summary tnb-live" role="region" aria-label="Live runs">',
        f"<style>{asset('summary.css')}</style>",
        f'<p class="tnb-head">Live runs</p><p class="tnb-sub">{subline}</p>',
        _accounts(model.orders),
        _alarms(model.rows),
        _table(model.rows) if model.rows else _nothing(model),
        _orders(model.orders),
        *_pictures(model),
        _events(model),
        '<p class="tnb-note">A picture of one moment. Run the cell to see it move.</p></div>',
    ]
    return "".join(parts)


def _accounts(orders: OrderPanel) -> str:
    """Return a banner for each account that runs send orders to; red where money is real."""
    return "".join(
        f'<p class="tnb-orders tnb-{"bad" if each["mode"] == "live" else each["level"]}">'
        f"<b>{escaped(each['mode'].upper(), 20)}</b> "
        + " · ".join(
            escaped(words, 300)
            for words in (each["name"], each["state"], *each["used"], f"balance {each['balance']}")
        )
        + "</p>"
        for each in orders.get("accounts", ())
    )


def _orders(orders: OrderPanel) -> str:
    names = ("run", "sent", "role", "order", "state", "filled", "note")
    lines = "".join(
        f"<tr>{''.join(f'<td>{escaped(each[name], 200)}</td>' for name in names)}</tr>"
        for each in orders.get("rows", ())
    )
    if not lines:
        return ""
    heads = "".join(f'<th scope="col">{name}</th>' for name in names)
    return (
        '<p class="tnb-caption">Orders</p><div class="tnb-scroll"><table class="tnb-table">'
        f"<thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table></div>"
    )


def _alarms(rows: list[Row]) -> str:
    """Return why runs are red."""
    bad = [row for row in rows if row["trouble"] and (row["running"] or row["unwatched"])]
    said = [
        f"{row['strategy']} on {row['symbol']}: {words}"
        for row in bad
        for words in (row["trouble"], *row["alarms"])
    ]
    lines = "".join(f"<li>{escaped(words, 500)}</li>" for words in said)
    return f'<div class="tnb-warnings tnb-alarm"><ul>{lines}</ul></div>' if bad else ""


def _table(rows: list[Row]) -> str:
    heads = "".join(
        f'<th scope="col"{_RIGHT if place >= _WORDS else ""}>{name}</th>'
        for place, name in enumerate(_HEADS)
    )
    lines = "".join(_line(row) for row in rows)
    return (
        f'<div class="tnb-scroll"><table class="tnb-table"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{lines}</tbody></table></div>"
    )


def _line(row: Row) -> str:
    name = escaped(f"{row['strategy']} on {row['symbol']}", 90)
    held = f"{row['position']}{', scheduled' if row['scheduled'] else ''}"
    now = ", ".join(dict.fromkeys([row["status"], *(each["words"] for each in row["pending"])]))
    said = [(row["parts"], ""), (row["outlook"], "")]
    said += [
        (each["words"], " tnb-down" if each["level"] == "bad" else "") for each in row["shields"]
    ]
    parts = "".join(
        f'<br><span class="tnb-parts{tone}">{escaped(words, 400)}</span>'
        for words, tone in said
        if words
    )
    words = f"<td>{escaped(now, 80)}</td><td>{escaped(held, 80)}{parts}</td>"
    levels = (escaped(row[name], 40) for name in ("stop", "entry", "target"))
    as_of = f'<br><span class="tnb-as-of">{row["as_of"]}</span>' if row["as_of"] else ""
    numbers = "".join(
        f"<td{_RIGHT}>{cell}</td>" for cell in (*levels, escaped(row["price"], 40) + as_of)
    )
    gain = f'<td class="tnb-right tnb-{row["tone"]}">{escaped(row["pnl"], 20)}</td>'
    return f'<tr><th scope="row">{name}</th>{words}{numbers}{gain}</tr>'


def _pictures(model: DashboardModel) -> list[str]:
    """Return the pictures of the run that is drawn, under captions."""
    key = model.pictures.get("key")
    row = next((row for row in model.rows if row["key"] == key), None)
    name = "" if row is None else escaped(f", {row['strategy']} on {row['symbol']}", 90)
    drawn = (
        (f"Price{name}", "price"),
        (f"Equity{name}", "equity"),
        (f"Beside its backtest{name}", "expected"),
    )
    return [
        f'<p class="tnb-caption">{caption}</p>{model.pictures[kind]}'
        for caption, kind in drawn
        if model.pictures.get(kind)
    ]


def _events(model: DashboardModel) -> str:
    newest = [row for row in model.events if row[KIND] != "milestone"][-_EVENTS:][::-1]
    if not newest:
        return ""
    lines = "".join(
        f"<tr><td>{row[WHEN]}</td><td>{_name(row[RUN])}</td><td>{row[KIND]}</td>"
        f'<td class="tnb-{row[TONE]}">{escaped(counted_words(row), 200)}</td></tr>'
        for row in newest
    )
    return (
        '<p class="tnb-caption">Newest events</p><div class="tnb-scroll">'
        f'<table class="tnb-table"><tbody>{lines}</tbody></table></div>'
    )


def _name(key: str) -> str:
    """Return who an event is of: its key is mode, symbol and strategy."""
    _, rest = key.split(":", 1)
    symbol, strategy = rest.rsplit(":", 1)
    return escaped(f"{strategy} on {symbol}", 60)


def _nothing(model: DashboardModel) -> str:
    return f"<p>No runs under {escaped(model.watch.home.root, 200)}.</p>"
