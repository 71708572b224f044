"""Eight ordinary strategies, written as a user would, over all that a managed position can do.

Exit by the opposite signal, breakout, chandelier, breakeven, scaling out, a grid that adds, flat at
night, and a turtle that adds with a rising stop.
"""

# ruff: noqa: RET503 - as users write

from __future__ import annotations

import numpy as np

import tradenb as tn


def ema(values, span):
    """The last exponential mean."""
    weight, mean = 2 / (span + 1), values[0]
    for value in values[1:]:
        mean += weight * (value - mean)
    return mean


def atr(candles, count=14):
    """The average true range of the last candles."""
    top = np.maximum(candles.high[1:], candles.close[:-1])
    return (top - np.minimum(candles.low[1:], candles.close[:-1]))[-count:].mean()


@tn.strategy("ema_cross", every="15m", manage=True)
def ema_cross(ctx):
    close = ctx.candles("15m", 150).close
    if ema(close, 12) > ema(close, 50):
        return tn.long(stop_loss=0.95 * ctx.price)
    return tn.short(stop_loss=1.05 * ctx.price)


@tn.strategy("donchian", every="1h")
def donchian(ctx):
    top = ctx.candles("1h", 20).high.max()
    return tn.long(breakout=top * 1.0001, stop_loss=0.96 * top, wait=60)


@donchian.manage
def donchian_exit(ctx):
    return tn.move(stop_loss=ctx.candles("1h", 10).low.min())


@tn.strategy("chandelier", every="1h")
def chandelier(ctx):
    candles = ctx.candles("1h", 48)
    if candles.close[-1] > candles.high[:-1].max():
        return tn.long(stop_loss=ctx.price - 3 * atr(candles))


@chandelier.manage(every="5m")
def chandelier_stop(ctx):
    return tn.move(stop_loss=ctx.position.peak - 3 * atr(ctx.candles("1h", 48)))


@tn.strategy("one_r", every="15m")
def one_r(ctx):
    close = ctx.candles("15m", 96).close
    if close[-1] < 0.985 * close.mean():
        risk = 0.8
        return tn.long(
            stop_loss=(1 - risk / 100) * ctx.price,
            take_profit=(1 + 3 * risk / 100) * ctx.price,
            breakeven=risk,
            minutes=1440,
        )


@tn.strategy("scale_out", every="15m")
def scale_out(ctx):
    candles = ctx.candles("15m", 96)
    if candles.close[-1] > candles.high[:-1].max():
        risk = 2 * atr(candles)
        percent = 100 * risk / ctx.price
        return tn.long(
            stop_loss=ctx.price - risk,
            take_profit=[(ctx.price + risk, 0.5)],
            trail_distance=risk,
            trail_after=percent,
            breakeven=percent,
            minutes=1440,
        )


@tn.strategy("grid", every="5m")
def grid(ctx):
    if ctx.price < 0.99 * ctx.candles("5m", 60).close.mean():
        return tn.long(stop_loss=tn.percent(15), take_profit=tn.percent(1), minutes=1440)


@grid.manage(every="1m")
def grid_more(ctx):
    position = ctx.position
    if position.entries < 5 and ctx.price < position.entry * 0.99:
        return [tn.add(), tn.move(take_profit=tn.percent(1))]


@tn.strategy("office_hours", every="15m")
def office_hours(ctx):
    close = ctx.candles("15m", 8).close
    evening = ctx.when.replace(hour=20, minute=0, second=0, microsecond=0)
    if 8 <= ctx.when.hour < 18 and close[-1] > close[0] * 1.004:
        until = int(evening.timestamp() * 1000)
        return tn.long(stop_loss=0.99 * ctx.price, take_profit=1.02 * ctx.price, until=until)


@tn.strategy("turtle", every="1h", history="3d")
def turtle(ctx):
    candles = ctx.candles("1h", 55)
    unit, top = atr(candles, 20), candles.high.max()
    return tn.long(breakout=top + 0.01 * unit, stop_loss=top - 2 * unit, wait=60)


@turtle.manage(every="5m")
def turtle_units(ctx):
    position, unit = ctx.position, atr(ctx.candles("1h", 55), 20)
    if position.entries < 4 and ctx.price > ctx.state.get("last", position.first_entry) + unit / 2:
        ctx.state["last"] = ctx.price
        return [tn.add(), tn.move(stop_loss=ctx.price - 2 * unit)]
    if position.entries == 1:
        ctx.state.pop("last", None)
    return tn.move(stop_loss=ctx.candles("1h", 20).low.min())


EIGHT = [ema_cross, donchian, chandelier, one_r, scale_out, grid, office_hours, turtle]
