"""The eight strategies once more, each a plain loop over candles, from its words.

Nothing of tradenb is used here: candles are lists of numbers, a position is a few variables. Each
function returns its trades as tuples: side, opened, closed (close times in minutes from the first
candle), average entry, exit, percent, entries, exits.
"""

from __future__ import annotations

from itertools import pairwise

SLIP, FEE = 0.001, 0.1
NIGHT = 20 * 60
DAY = 24 * 60


class Market:
    """Rows of open, high, low and close, a minute each; a minute is named by when it closes."""

    def __init__(self, rows, start):
        self.rows, self.start = rows, start
        self._bars = {}

    def minutes(self):
        for row in range(self.start, len(self.rows)):
            yield row + 1, *self.rows[row]

    def bars(self, minutes, count, now):
        """The last bars of so many minutes that have ended."""
        if minutes not in self._bars:
            self._bars[minutes] = [
                self._bar(self.rows[first : first + minutes])
                for first in range(0, len(self.rows) - minutes + 1, minutes)
            ]
        last = now // minutes
        assert last >= count
        return self._bars[minutes][last - count : last]

    @staticmethod
    def _bar(rows):
        return rows[0][0], max(r[1] for r in rows), min(r[2] for r in rows), rows[-1][3]


def closes(bars):
    return [bar[3] for bar in bars]


def highest(bars):
    return max(bar[1] for bar in bars)


def lowest(bars):
    return min(bar[2] for bar in bars)


def ema(values, span):
    weight, mean = 2 / (span + 1), values[0]
    for value in values[1:]:
        mean += weight * (value - mean)
    return mean


def atr(bars, count=14):
    ranges = [max(bar[1], before[3]) - min(bar[2], before[3]) for before, bar in pairwise(bars)]
    return sum(ranges[-count:]) / count


class Money:
    """What was put in and taken out: money at each price, both fees on what was put in."""

    def __init__(self, side, price):
        self.side = 1 if side == "long" else -1
        self.put_in = self.left = self.taken = 0.0
        self.pieces = self.paid_pieces = 0.0
        self.entries = self.exits = 0
        self.add(price, 1.0)

    def add(self, price, money):
        self.put_in += money
        self.left += money
        self.pieces += money / price
        self.paid_pieces += money / (price * (1 + self.side * SLIP))
        self.entries += 1

    @property
    def average(self):
        return self.left / self.pieces

    def take(self, price, money=None):
        """Take so much of what was put in out at a price; all that is left without a number."""
        money = self.left if money is None else money
        share = money / self.left
        paid = self.left / self.paid_pieces
        got = price * (1 - self.side * SLIP)
        self.taken += money * (self.side * (got - paid) / paid * 100 - 2 * FEE)
        self.left -= money
        self.pieces *= 1 - share
        self.paid_pieces *= 1 - share
        self.exits += 1

    @property
    def percent(self):
        return self.taken / self.put_in


def trade(side, opened, closed, average, exit, money):
    return side, opened, closed, average, exit, money.percent, money.entries, money.exits


def ema_cross(market):
    """Always in the market, on the side of the faster mean; a stop five percent away."""
    found, side, money, stop, opened, entry = [], None, None, 0.0, 0, 0.0
    for now, first, high, low, close in market.minutes():
        if side is not None and (low <= stop if side == "long" else high >= stop):
            out = min(stop, first) if side == "long" else max(stop, first)
            money.take(out)
            found.append(trade(side, opened, now, entry, out, money))
            side = None
        if now % 15 or now == market.start:
            continue
        values = closes(market.bars(15, 150, now))
        wanted = "long" if ema(values, 12) > ema(values, 50) else "short"
        if wanted == side:
            continue
        if side is not None:
            money.take(close)
            found.append(trade(side, opened, now, entry, close, money))
        side, opened, entry, money = wanted, now, close, Money(wanted, close)
        stop = close * (0.95 if side == "long" else 1.05)
    return found


def donchian(market):
    """Buy a break of the 20 hour high within the hour; the stop follows the 10 hour low."""
    found, money, level, asked = [], None, None, 0
    stop, opened, entry = 0.0, 0, 0.0
    for now, first, high, low, close in market.minutes():
        done = False
        if money is not None and low <= stop:
            out = min(stop, first)
            money.take(out)
            found.append(trade("long", opened, now, entry, out, money))
            money = None
        if level is not None and high >= level:
            entry, opened, level = max(level, first), now, None
            money = Money("long", entry)
            if low <= stop:
                money.take(stop)
                found.append(trade("long", opened, now, entry, stop, money))
                money = None
        elif level is not None and now - asked >= 60:
            level = None
        if money is not None and now % 60 == 0:
            follow = lowest(market.bars(60, 10, now))
            if follow > stop:
                stop = follow
                done = close <= stop
        if done:
            money.take(close)
            found.append(trade("long", opened, now, entry, close, money))
            money = None
        elif money is None and level is None and now % 60 == 0:
            top = highest(market.bars(60, 20, now))
            level, stop, asked = top * 1.0001, top * 0.96, now
    return found


def chandelier(market):
    """Buy a close above 47 hours of highs; the stop hangs 3 ranges below the best price."""
    found, money, stop, opened, entry, peak = [], None, 0.0, 0, 0.0, 0.0
    for now, first, high, low, close in market.minutes():
        done = False
        if money is not None and low <= stop:
            out = min(stop, first)
            money.take(out)
            found.append(trade("long", opened, now, entry, out, money))
            money = None
        elif money is not None:
            peak = max(peak, high)
        if money is not None and now % 5 == 0:
            follow = peak - 3 * atr(market.bars(60, 48, now))
            if follow > stop:
                stop = follow
                done = close <= stop
        if done:
            money.take(close)
            found.append(trade("long", opened, now, entry, close, money))
            money = None
        elif money is None and now % 60 == 0:
            bars = market.bars(60, 48, now)
            if bars[-1][3] > highest(bars[:-1]):
                entry, opened, peak, money = close, now, close, Money("long", close)
                stop = close - 3 * atr(bars)
    return found


def one_r(market):
    """Buy a dip for 3 risks; once 1 risk ahead the stop goes to the entry; a day at most."""
    found, money, stop, target, opened, entry = [], None, 0.0, 0.0, 0, 0.0
    for now, first, high, low, close in market.minutes():
        if money is not None:
            out = None
            if low <= stop:
                out = min(stop, first)
            elif high >= target:
                out = target
            elif now - opened >= DAY:
                out = close
            elif high >= entry * 1.008:
                stop = max(stop, entry)
            if out is not None:
                money.take(out)
                found.append(trade("long", opened, now, entry, out, money))
                money = None
        if money is None and now % 15 == 0:
            values = closes(market.bars(15, 96, now))
            if values[-1] < 0.985 * sum(values) / len(values):
                entry, opened, money = close, now, Money("long", close)
                stop, target = close * 0.992, close * 1.024
    return found


def scale_out(market):
    """Buy a day's high; half out 1 risk ahead, then the rest trails one risk behind."""
    found, money, stop, target, opened, entry = [], None, 0.0, None, 0, 0.0
    peak, risk, ahead = 0.0, 0.0, 0.0
    for now, first, high, low, close in market.minutes():
        if money is not None:
            out = None
            if low <= stop:
                out = min(stop, first)
            else:
                if target is not None and high >= target:
                    money.take(target, 0.5)
                    target = None
                if now - opened >= DAY:
                    out = close
                else:
                    peak = max(peak, high)
                    if high >= entry * (1 + ahead / 100):
                        stop = max(stop, entry)
                    if peak >= entry * (1 + ahead / 100):
                        stop = max(stop, peak - risk)
            if out is not None:
                money.take(out)
                found.append(trade("long", opened, now, entry, out, money))
                money = None
        if money is None and now % 15 == 0:
            bars = market.bars(15, 96, now)
            if bars[-1][3] > highest(bars[:-1]):
                entry, opened, peak, money = close, now, close, Money("long", close)
                risk = 2 * atr(bars)
                stop, target, ahead = close - risk, close + risk, 100 * risk / close
    return found


def grid(market):
    """Buy one percent below the mean and again one percent below the average, all out 1 % ahead."""
    found, money, stop, target, opened = [], None, 0.0, 0.0, 0
    for now, first, high, low, close in market.minutes():
        if money is not None:
            out, average = None, money.average
            if low <= stop:
                out = min(stop, first)
            elif high >= target:
                out = target
            elif now - opened >= DAY:
                out = close
            if out is not None:
                money.take(out)
                found.append(trade("long", opened, now, average, out, money))
                money = None
            elif money.entries < 5 and close < average * 0.99:
                money.add(close, 1.0)
                target = money.average * 1.01
        if money is None and now % 5 == 0:
            values = closes(market.bars(5, 60, now))
            if close < 0.99 * sum(values) / len(values):
                opened, money = now, Money("long", close)
                stop, target = close * 0.85, close * 1.01
    return found


def office_hours(market):
    """Buy strength between 8 and 18 o'clock; whatever is open at 20 o'clock is sold."""
    found, money, stop, target, opened, entry = [], None, 0.0, 0.0, 0, 0.0
    evening = 0
    for now, first, high, low, close in market.minutes():
        if money is not None:
            out = None
            if low <= stop:
                out = min(stop, first)
            elif high >= target:
                out = target
            elif now >= evening:
                out = close
            if out is not None:
                money.take(out)
                found.append(trade("long", opened, now, entry, out, money))
                money = None
        if money is None and now % 15 == 0 and 8 <= now % DAY // 60 < 18:
            values = closes(market.bars(15, 8, now))
            if values[-1] > values[0] * 1.004:
                entry, opened, money = close, now, Money("long", close)
                stop, target, evening = close * 0.99, close * 1.02, now - now % DAY + NIGHT
    return found


def turtle(market):
    """Buy a 55 hour high, up to 4 units half a range apart, the stop 2 ranges below."""
    found, money, level, last, asked = [], None, None, None, 0
    stop, opened, entry = 0.0, 0, 0.0
    for now, first, high, low, close in market.minutes():
        done = False
        if money is not None and low <= stop:
            out, average = min(stop, first), money.average
            money.take(out)
            found.append(trade("long", opened, now, average, out, money))
            money = None
        if level is not None and high >= level:
            entry, opened, level = max(level, first), now, None
            money = Money("long", entry)
            if low <= stop:
                money.take(stop)
                found.append(trade("long", opened, now, entry, stop, money))
                money = None
        elif level is not None and now - asked >= 60:
            level = None
        if money is not None and now % 5 == 0:
            unit = atr(market.bars(60, 55, now), 20)
            if money.entries < 4 and close > (entry if last is None else last) + unit / 2:
                last, follow = close, close - 2 * unit
                money.add(close, 1.0)
            else:
                last = None if money.entries == 1 else last
                follow = lowest(market.bars(60, 20, now))
            if follow > stop:
                stop = follow
                done = close <= stop
        if done:
            average = money.average
            money.take(close)
            found.append(trade("long", opened, now, average, close, money))
            money = None
        elif money is None and level is None and now % 60 == 0:
            bars = market.bars(60, 55, now)
            unit, top = atr(bars, 20), highest(bars)
            level, stop, asked = top + 0.01 * unit, top - 2 * unit, now
    return found


PLAIN = [ema_cross, donchian, chandelier, one_r, scale_out, grid, office_hours, turtle]
