"""Random scenarios in the golden format, on grids so coarse that ties and touches are the rule.

`scenario_of(random)` makes one of a `random.Random`: of a seeded one in the fixed lists of the
mutants, of Hypothesis's in the laws, where it is drawn and shrunk like anything else. Prices move
in steps of half a percent, targets and stops stand on the same grid, and volumes are often 0: exact
touches, gaps through a stop, both sides on one candle and equal market prices come up all the time.
"""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

MINUTE = 60_000
MIDNIGHT = 1_704_067_200_000
INTERVALS = ("1m", "1m", "1m", "3m", "5m")
LENGTH = {"1m": 1, "3m": 3, "5m": 5, "15m": 15}
WALKS = (
    ((-1, 0, 0, 0, 1), (0, 0, 0, 1)),
    ((-2, -1, -1, 0, 0, 1, 1, 2), (0, 0, 1, 2)),
    ((-3, -2, -1, 1, 2, 3), (0, 0, 1, 4)),
    ((-1, 0, 1, 1), (0,)),
    ((-1, -1, 0, 1), (0,)),
)
GAPS = (-3, -2, -1, 1, 2, 3)
VOLUMES = (0, 1, 1, 3, 0.7)
SYMBOLS = ("BTCUSDT", "ETHUSDT")
Answer = dict[str, Any] | None


def randoms() -> st.SearchStrategy[Random]:
    """Chance for Hypothesis, drawn as a seed.

    In the profile "thorough" each number is drawn, so that what fails is shrunk: it takes three
    times as long as what is tested.
    """
    if settings.get_current_profile_name() == "thorough":
        return st.randoms(use_true_random=False)
    return st.integers(0, 2**32).map(Random)


def scenarios(*, refused: bool = False) -> st.SearchStrategy[dict[str, Any]]:
    """Scenarios for Hypothesis; with `refused` about every other has a row that is refused."""
    return randoms().map(refused_scenario_of if refused else scenario_of)


def long_scenarios() -> st.SearchStrategy[dict[str, Any]]:
    """Long ones; drawn as a seed, there is nothing in them to shrink."""
    return st.integers(0, 2**32).map(lambda seed: long_scenario_of(Random(seed)))


def fixed_scenarios(count: int) -> list[dict[str, Any]]:
    """The same scenarios in every run."""
    return [scenario_of(Random(seed)) for seed in range(count)]


def money_scenarios() -> st.SearchStrategy[dict[str, Any]]:
    """Scenarios with an account, for Hypothesis; drawn as a seed."""
    return st.integers(0, 2**32).map(lambda seed: money_scenario_of(Random(seed)))


def money_scenario_of(random: Random) -> dict[str, Any]:
    """Make a scenario whose runs share an account, sometimes on a market with steps."""
    scenario = scenario_of(random)
    size = random.choice(({"quote": 3_000.0}, {"percent": 40.0}, {"percent": 150.0}, {"risk": 1.0}))
    account: dict[str, Any] = {
        "cash": 10_000.0, **size, "leverage": random.choice((1.0, 1.0, 3.0, 4.0)),
        "funding_percent": random.choice((0.0, 0.0, 0.02)),
    }  # fmt: skip
    if random.randrange(4) == 0:
        account["max_percent"] = 25.0
    scenario["account"] = account
    if random.randrange(2):
        steps = {"price_step": 0.01, "size_step": 0.5, "min_value": 10.0}
        scenario["market"] = dict.fromkeys(scenario["symbols"], steps)
    return scenario


def scenario_of(random: Random) -> dict[str, Any]:
    """Make one scenario whose candles are accepted."""
    symbols = list(SYMBOLS[: random.choice((1, 1, 2))])
    start = MIDNIGHT + random.choice((0, -20, -7, 721)) * MINUTE
    minutes = random.choice((15, 50, 90))
    grids = {symbol: candles_of(random, start, minutes) for symbol in symbols}
    rules = rules_of(random)
    risks = risks_of(random, start, minutes, rules)
    strategies = [
        strategy_of(random, name, grids, [risk["name"] for risk in risks])
        for name in "abc"[: random.choice((1, 1, 2, 3))]
    ]
    scenario: dict[str, Any] = {
        "symbols": symbols,
        "candles": {symbol: as_given(random, grids[symbol]) for symbol in symbols},
        "start": start + random.choice((0, 0, 0, 1, 59_999)),
        "end": start + minutes * MINUTE + random.choice((0, 0, 0, -5 * MINUTE, 30_000, 3 * MINUTE)),
        "risks": risks,
        "strategies": strategies,
        "commands": commands_of(random, start, minutes, strategies, symbols),
        "probe": probes_of(random, start, minutes, grids),
        "rules": rules,
    }
    if random.randrange(12) == 0:
        scenario["rules"], scenario["reference"] = {}, True
    return scenario


def refused_scenario_of(random: Random) -> dict[str, Any]:
    """Make one scenario, and spoil one of its rows, often enough."""
    scenario = scenario_of(random)
    symbol = random.choice(scenario["symbols"])
    rows = raw_rows(scenario["candles"][symbol])
    if random.randrange(8):
        spoil(random, rows)
    scenario["candles"][symbol] = rows
    return scenario


def long_scenario_of(random: Random) -> dict[str, Any]:
    """Days of candles, and signals that wait and stay for hours: the fast search has to go far."""
    start = MIDNIGHT + random.randrange(1_440) * MINUTE
    minutes = random.choice((700, 2_000, 4_000))
    symbols = list(SYMBOLS[: random.choice((1, 2))])
    grids = {symbol: long_candles_of(random, start, minutes) for symbol in symbols}
    return {
        "symbols": symbols,
        "candles": {
            symbol: {"t0": grid[0][0], "rows": [row[1:] for row in grid]}
            for symbol, grid in grids.items()
        },
        "start": start,
        "end": start + minutes * MINUTE,
        "risks": [{"name": "r1", "kind": "max_open", "max_open": 1}],
        "strategies": [
            {
                "name": name,
                "every": "15m",
                "risk": ["r1"] if random.randrange(3) == 0 else [],
                "script": {symbol: long_script_of(random, grid) for symbol, grid in grids.items()},
            }
            for name in "ab"[: random.choice((1, 2))]
        ],
        "commands": [],
        "rules": {
            "price": random.choice(("close", "average")),
            "touch": random.choice(("candle", "candle", "average_price")),
            "same_candle": random.choice(("stop_first", "target_first")),
            "schedule_await_minutes": random.choice((60, 500, 3_000)),
            "average_price_candles": random.choice((2, 5, 60)),
            "max_signal_minutes": 5_000,
        },
    }


def tables_and_hands() -> st.SearchStrategy[dict[str, Any]]:
    """Scenarios with vectorised strategies, and with positions that a person closes and moves."""
    return randoms().map(tabled_scenario_of)


def tabled_scenario_of(random: Random) -> dict[str, Any]:
    """Make one scenario in which most strategies are tables, and somebody has a hand in it."""
    scenario = scenario_of(random)
    grids = {symbol: raw_rows(scenario["candles"][symbol]) for symbol in scenario["symbols"]}
    risks = [risk["name"] for risk in scenario["risks"]]
    scenario["strategies"] = [
        tabled_of(random, each["name"], grids, risks) if random.randrange(3) else each
        for each in scenario["strategies"]
    ]
    start, count = scenario["start"], len(next(iter(grids.values())))
    for _ in range(random.choice((0, 4, 12))):
        symbol = random.choice(scenario["symbols"])
        at = start + random.randrange(-2, count) * MINUTE + random.choice((0, -1, 1, 20_000))
        strategy = random.choice(scenario["strategies"])["name"]
        command = {"at": at, "symbol": symbol, "strategy": strategy, **by_hand_of(random, at)}
        scenario["commands"].append(command)
    return scenario


def by_hand_of(random: Random, at: int) -> dict[str, Any]:
    """What a person asks for, as far as it can be meant."""
    if random.randrange(3) == 0:
        return {"kind": "close", "fraction": random.choice((0.25, 0.5, 0.5, 1.0, 0.999999999999))}
    moves = moves_of(random, 100.0)
    moves.pop("until", None)
    if random.randrange(6) == 0:
        moves["until"] = at + random.choice((1, 3, 30)) * MINUTE
    if moves.get("minutes") == 0:
        moves["minutes"] = 1
    if isinstance(moves.get("take_profit"), dict):
        moves["take_profit"] = None
    return {"kind": "move", **(moves or {"stop_loss": 99.5})}


def tabled_of(
    random: Random, name: str, grids: dict[str, list[list[Any]]], risks: list[str]
) -> dict[str, Any]:
    """A vectorised strategy; some of its columns are missing."""
    every = random.choice(INTERVALS)
    length = LENGTH[every] * MINUTE
    columns = random.sample(("exit", "move_stop", "move_target"), random.choice((0, 1, 1, 2, 3)))
    talkative = random.choice((1, 2, 4))
    rows: dict[str, dict[str, Any]] = {}
    for row in next(iter(grids.values())):
        time, close = int(row[0]) + MINUTE, row[4]
        if time % length:
            continue
        said = tabled_row_of(random, close) if random.randrange(talkative) == 0 else {}
        for column in columns:
            if random.randrange(4) == 0:
                said[column] = exit_of(random, column, close)
        rows[str(time)] = said
    return {
        "name": name,
        "every": every,
        "risk": [risk for risk in risks if random.randrange(3) == 0],
        "table": {"*": rows},
        "flip": random.randrange(3) == 0,
    }


def tabled_row_of(random: Random, close: float) -> dict[str, Any]:
    """A candidate as columns: numbers, and a ladder as pairs of them."""
    candidate = candidate_of(random, close)
    ladder = candidate.get("take_profit")
    if isinstance(ladder, list):
        del candidate["take_profit"]
        for place, (level, fraction) in enumerate(ladder, start=1):
            candidate |= {f"take_profit_{place}": level, f"fraction_{place}": fraction}
    numbers = {
        name: value
        for name, value in candidate.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and name != "leverage"
    }
    words = {
        name: candidate[name]
        for name in ("id", "note")
        if isinstance(candidate.get(name), str) and candidate[name]
    }
    if candidate.get("position") not in ("long", "short") or "stop_loss" not in numbers:
        return {}
    return {"position": candidate["position"], **numbers, **words}


def exit_of(random: Random, column: str, close: float) -> Any:
    if column == "exit":
        return random.choice((True, False, "long", "short"))
    return round(close + random.choice((-2, -1, -0.5, 0.5, 1, 2)), 6)


def thousand_trades() -> dict[str, Any]:
    """A trade a minute: when the 1,000 signals before it are known, and the book has its fill."""
    start = MIDNIGHT
    used = {"position": "long", "take_profit": 101, "stop_loss": 99, "minutes": 1, "id": "x"}
    return {
        "symbols": ["BTCUSDT"],
        "candles": {"BTCUSDT": {"t0": start, "rows": [[100, 100, 100, 100, 1]] * 1_030}},
        "start": start,
        "end": start + 1_030 * MINUTE,
        "risks": [
            {"name": "full", "kind": "trade_count", "count": 1_000, "at": start + 1_002 * MINUTE}
        ],
        "strategies": [
            {
                "name": "a",
                "every": "1m",
                "risk": ["full"],
                "script": {
                    "*": {
                        "every": {**used, "id": None},
                        **{str(start + minute * MINUTE): used for minute in (1, 1_001, 1_003)},
                    }
                },
            }
        ],
        "commands": [],
        "rules": {},
    }


def long_script_of(random: Random, grid: list[list[float]]) -> dict[str, Any]:
    script: dict[str, Any] = {}
    for time, _, _, _, close, _ in grid:
        if (time + MINUTE) % (15 * MINUTE) == 0 and random.randrange(3) == 0:
            sign = random.choice((1, -1))
            base = close * (1 - sign * random.choice((0, 0.01, 0.03)))
            script[str(int(time) + MINUTE)] = {
                "position": "long" if sign == 1 else "short",
                "entry": None if base == close else base,
                "take_profit": base * (1 + sign * random.choice((0.01, 0.03, 0.08))),
                "stop_loss": base * (1 - sign * random.choice((0.01, 0.03, 0.08))),
                "minutes": random.choice((50, 300, 1_440, 5_000)),
            }
    return script


# ---------------------------------------------------------------------------------------- candles


def long_candles_of(random: Random, start: int, minutes: int) -> list[list[float]]:
    """A finer random walk, with volumes whose sums depend on their order."""
    first = start - random.choice((0, 70)) * MINUTE
    step = random.choice((0.02, 0.07))
    close, rows = 100.0, []
    for time in range(first, start + minutes * MINUTE, MINUTE):
        open_ = close
        close = max(open_ + step * random.randint(-3, 3), 50.0)
        high = max(open_, close) + step * random.randint(0, 2)
        low = min(open_, close) - step * random.randint(0, 2)
        prices = [round(price, 4) for price in (open_, high, low, close)]
        rows.append([time, *prices, round(random.random() * random.choice((0, 1, 30)), 3)])
    return rows


def candles_of(random: Random, start: int, minutes: int) -> list[list[float]]:
    """A random walk [t, open, high, low, close, volume] with some history before the start."""
    history = random.choice((0, 1, 4, 16))
    late = random.choice((0, 0, 0, 0, 3)) if history == 0 else 0
    first = start + (late - history) * MINUTE
    count = history + minutes - late - random.choice((0, 0, 0, 2))
    step = random.choice((0.5, 0.5, 0.25, 0.1))
    moves, wicks = random.choice(WALKS)
    close, rows = 100.0, []
    for index in range(count):
        gap = random.choice(GAPS) if random.randrange(8) == 0 else 0
        open_ = close + step * gap
        close = min(max(open_ + step * random.choice(moves), 85.0), 115.0)
        high = max(open_, close) + step * random.choice(wicks)
        low = min(open_, close) - step * random.choice(wicks)
        prices = [round(price, 6) for price in (open_, high, low, close)]
        rows.append([first + index * MINUTE, *prices, random.choice(VOLUMES)])
    return rows


def as_given(random: Random, grid: list[list[float]]) -> Any:
    """The grid as a block, or as raw rows: some twice, some missing."""
    if random.randrange(3):
        return {"t0": grid[0][0], "rows": [row[1:] for row in grid]}
    rows: list[list[float]] = []
    repaired = 0  # more of them would be another market
    for row in grid:
        chance = random.randrange(12)
        if chance == 0 and rows and row is not grid[-1]:
            continue
        if chance == 1:
            rows.append(list(row))
        if chance == 2 and repaired < 15:
            repaired += 1
            rows.append([row[0], *(round(value * 1.01, 6) for value in row[1:5]), row[5]])
        rows.append(list(row))
    if len(grid) > 40 and random.randrange(2):
        first = random.randrange(1, len(grid) - 25)
        gone = range(int(grid[first][0]), int(grid[first + random.randrange(14, 24)][0]), MINUTE)
        rows = [row for row in rows if row[0] not in gone]
    return rows


def raw_rows(candles: Any) -> list[list[Any]]:
    if isinstance(candles, list):
        return candles
    return [[candles["t0"] + index * MINUTE, *row] for index, row in enumerate(candles["rows"])]


def spoil(random: Random, rows: list[list[Any]]) -> None:
    """Make one row such that it is refused."""
    index = random.randrange(len(rows))
    row = rows[index]
    match random.randrange(9):
        case 0:
            row[random.randrange(1, 6)] = {"$": random.choice(("NaN", "Infinity", "-Infinity"))}
        case 1:
            row[random.randrange(1, 5)] = random.choice((0, -1))
        case 2:
            row[5] = -1
        case 3:
            row[3] = max(row[1], row[4]) + 0.5
            row[2] = row[3] + 1
        case 4:
            row[2] = min(row[1], row[4]) - 0.5
            row[3] = row[2] - 1
        case 5:
            row[0] += random.choice((1, -1, 30_000))
        case 6:
            rows.append(rows.pop(index))
        case 7:
            row[3] = row[3] / 2_000
        case 8:
            row[2] = row[2] * 2_000


# ----------------------------------------------------------------------------- strategies, scripts


def strategy_of(
    random: Random, name: str, grids: dict[str, list[list[float]]], risks: list[str]
) -> dict[str, Any]:
    every = random.choice(INTERVALS)
    strategy: dict[str, Any] = {
        "name": name,
        "every": every,
        "risk": [risk for risk in risks if random.randrange(3)],
    }
    if random.randrange(4) == 0:
        strategy["counting"] = True
    if len(grids) > 1 and random.randrange(5) == 0:
        strategy["symbols"] = [random.choice(sorted(grids))]
    if random.randrange(5) == 0:
        strategy["builtin"] = builtin_of(random)
        return strategy
    if random.randrange(2):
        manage(random, strategy, grids)
    talkative = random.choice((1, 1, 3))
    strategy["script"] = {
        symbol: {
            str(int(row[0]) + MINUTE): answer_of(random, row[4])
            for row in grid
            if (row[0] + MINUTE) % (LENGTH[every] * MINUTE) == 0
            and random.randrange(talkative) == 0
        }
        for symbol, grid in grids.items()
    }
    return strategy


def manage(random: Random, strategy: dict[str, Any], grids: dict[str, list[list[float]]]) -> None:
    """Let a strategy look after what it has open."""
    match random.randrange(5):
        case 0:
            strategy["manage"] = True
            return
        case 1:
            strategy["manage"] = {
                "manage": "grid",
                "step": 0.5,
                "most": 4,
                "target": 1,
                "amount": random.choice((1.0, 0.5)),
            }
        case 2:
            strategy["manage"] = {"manage": "chandelier", "timeframe": "1m", "n": 4, "percent": 0.5}
        case _:
            strategy["manage"] = {
                symbol: {
                    str(int(row[0]) + MINUTE): actions_of(random, row[4])
                    for row in grid
                    if random.randrange(2)
                }
                for symbol, grid in grids.items()
            }
    strategy["manage_every"] = random.choice(("1m", "1m", "3m"))
    strategy["waiting"] = bool(random.randrange(2))


def builtin_of(random: Random) -> dict[str, Any]:
    """A cross of averages: the one strategy here that looks at candles to decide."""
    builtin: dict[str, Any] = {
        "timeframe": random.choice(("1m", "3m", "5m")),
        "fast": random.choice((1, 2)),
        "slow": random.choice((3, 4)),
        "percent": random.choice((0.5, 1)),
        "minutes": random.choice((2, 5, 15)),
        "warm_up": bool(random.randrange(2)),
    }
    if random.randrange(2):
        builtin["entry_offset"] = random.choice((0.005, 0.0025))
    return builtin


def answer_of(random: Random, close: float) -> Answer:
    chance = random.randrange(30)
    if chance == 0:
        return {"raise": random.choice(("ValueError", "KeyError"))}
    if chance == 1:
        return {"answer": random.choice(([1], "long", 5, True, {}, 0))}
    if chance == 2:
        return None
    if chance <= 5:
        need = [random.choice(("1m", "1m", "3m", "5m", "15m")), random.choice((1, 3, 6))]
        return {"need": need, "then": None if chance == 3 else candidate_of(random, close)}
    return candidate_of(random, close)


def candidate_of(random: Random, close: float) -> dict[str, Any]:
    """A candidate on the grid of the prices, mostly a good one."""
    sign = random.choice((1, -1))
    ways = (0.5, 1.0, 1.5, 2.0)
    base = close
    candidate: dict[str, Any] = {
        "position": "long" if sign == 1 else "short",
        "minutes": random.choice((1, 2, 3, 5, 10, 20)),
    }
    if random.randrange(2):
        base = close - sign * random.choice((0, 0.5, 0.5, 1.0, 1.5, -0.5))
        candidate["entry"] = round(base, 6)
    candidate["take_profit"] = round(base + sign * random.choice(ways), 6)
    candidate["stop_loss"] = round(base - sign * random.choice(ways), 6)
    if random.randrange(6) == 0:
        relative(random, candidate, sign)
    if random.randrange(2):
        declare(random, candidate, base, sign)
    if random.randrange(3) == 0:
        candidate["id"] = random.choice(("x", "y", "z"))
    if random.randrange(8) == 0:
        candidate["note"] = random.choice(("dip", ""))
    if random.randrange(8) == 0:
        candidate["size"] = random.choice((1, 0.5))
    if random.randrange(10) == 0:
        make_invalid(random, candidate)
    return candidate


def declare(random: Random, candidate: dict[str, Any], base: float, sign: int) -> None:
    """Say more: a ladder or no target, times, a stop that moves, a stop entry."""
    match random.randrange(5):
        case 0:
            candidate["take_profit"] = None
        case 1:
            steps = sorted(random.sample((0.5, 1.0, 1.5, 2.0, 3.0), random.choice((1, 2, 3))))
            fractions = random.choice(((0.5, 0.25, 0.25), (1 / 3, 1 / 3, 1 / 3), (0.5, 0.5, 0.5)))
            candidate["take_profit"] = [
                [round(base + sign * step, 6), fraction]
                for step, fraction in zip(steps, fractions, strict=False)
            ]
        case 2:
            candidate["take_profit"] = {"percent": random.choice((0.5, 1, 2))}
            candidate["stop_loss"] = {"percent": random.choice((0.5, 1, 2))}
    if random.randrange(4) == 0:
        del candidate["minutes"]
    if random.randrange(4) == 0:
        candidate["wait"] = random.choice((1, 2, 5, 30))
    if random.randrange(3) == 0:
        candidate["trail"] = random.choice((0.25, 0.5, 1))
    elif random.randrange(4) == 0:
        candidate["trail_distance"] = random.choice((0.25, 0.5, 1, 200))
    if random.randrange(4) == 0:
        candidate["trail_after"] = random.choice((0, 0.5, 1))
    if random.randrange(3) == 0:
        candidate["breakeven"] = random.choice((0.25, 0.5, 1))
        candidate["breakeven_plus"] = random.choice((None, 0, 0.1, 0.5))
    if random.randrange(4) == 0:
        candidate["until"] = {"in": random.choice((0, 1, 3, 7)) * MINUTE - random.choice((0, 1))}
    if random.randrange(3) == 0:
        candidate["breakout"] = candidate.pop("entry", round(base + sign * 0.5, 6))
    if random.randrange(20) == 0:
        candidate["entry"] = base


def actions_of(random: Random, close: float) -> Any:
    """What a manage function answers: mostly one action that means something."""
    chance = random.randrange(12)
    if chance == 0:
        return [actions_of(random, close) for _ in range(random.choice((2, 3)))]
    if chance == 1:
        return candidate_of(random, close)
    if chance == 2:
        return {"raise": "ValueError"}
    if chance <= 4:
        return None
    action = random.choice(
        (
            {"do": "close", "fraction": random.choice((0.5, 0.25, 1, 0.999999999999, 0, 2))},
            {"do": "add", "amount": random.choice((1, 0.5, 2, 1, 0))},
            {"do": "add"},
            {"do": "breakeven", "plus": random.choice((0, 0.1, 0.5, -1))},
            {"do": "cancel"},
            {"do": random.choice(("jump", "close")), "extra": 1},
            {"do": "move", **moves_of(random, close)},
            {"do": "move", **moves_of(random, close)},
        )
    )
    if random.randrange(8) == 0:
        action["note"] = random.choice(("hold", "", 5))
    return action


def moves_of(random: Random, close: float) -> dict[str, Any]:
    moves: dict[str, Any] = {
        "stop_loss": round(close + random.choice((-2, -1, -0.5, 0.5, 1, 2)), 6),
        "take_profit": random.choice(
            (
                None,
                round(close + random.choice((-1, 1, 2)), 6),
                [[round(close + 1, 6), 0.5], [round(close + 2, 6), 0.5]],
                [[round(close - 1, 6), 0.25], [round(close - 2, 6), 0.25]],
                {"percent": random.choice((0.5, 1))},
            )
        ),
        "minutes": random.choice((None, 1, 2, 5, 20, 0)),
        "until": random.choice((None, {"in": 3 * MINUTE}, {"in": 0})),
    }
    return {name: moves[name] for name in random.sample(sorted(moves), random.choice((0, 1, 1, 2)))}


def relative(random: Random, candidate: dict[str, Any], sign: int) -> None:
    """Distances in percent of the market price or of the average, near the bounds."""
    unit = random.choice(("x", "x", "a"))
    candidate.pop("entry", None)
    candidate["take_profit"] = {unit: 1 + sign * random.choice((0.005, 0.01, 0.004))}
    candidate["stop_loss"] = {unit: 1 - sign * random.choice((0.005, 0.01, 0.2, 0.004))}
    if random.randrange(2):
        candidate["entry"] = {unit: 1 - sign * random.choice((0, 0.002, 0.004, -0.002))}


def make_invalid(random: Random, candidate: dict[str, Any]) -> None:
    """Break one to three rules."""
    bad_number = (0, -1.5, {"$": "NaN"}, {"$": "Infinity"}, "100", True, None, 1e6, 1)
    for _ in range(random.choice((1, 1, 2, 3))):
        match random.randrange(9):
            case 0:
                candidate["position"] = random.choice(("buy", "", None, 1, "LONG"))
            case 1:
                candidate["take_profit"] = random.choice(bad_number)
            case 2:
                candidate["stop_loss"] = random.choice(bad_number)
            case 3:
                candidate["entry"] = random.choice(bad_number)
            case 4:
                candidate["minutes"] = random.choice((0, -1, 1.5, True, "5", None, 5_000))
            case 5:
                candidate["id"] = random.choice(("", 5, "i" * 301))
            case 6:
                candidate["note"] = "n" * 2_001
            case 7:
                candidate["size"] = random.choice((0, -1, "1", True, {"$": "NaN"}))
            case 8:
                candidate["leverage"] = 2


# -------------------------------------------------------------------------- risk, commands, rules


def risks_of(
    random: Random, start: int, minutes: int, rules: dict[str, Any]
) -> list[dict[str, Any]]:
    makers = (
        lambda: {"kind": "max_open", "max_open": random.choice((1, 1, 2))},
        lambda: {"kind": "open_count", "max_open": 1},
        lambda: {
            "kind": "cooldown",
            "minutes": random.choice((1, 3, 10)),
            "after": random.choice((None, "stop_loss", "trailing_stop", "time_expired")),
        },
        lambda: {"kind": "max_drawdown", "percent": random.choice((0.5, 0.5, 1))},
        lambda: {"kind": "daily_loss", "percent": random.choice((0.5, 0.5, 1))},
        lambda: {"kind": "no_short"},
        lambda: {
            "kind": "raises_when_now",
            "at": start + random.randrange(minutes) * MINUTE,
        },
        lambda: {"kind": "raises_when_open"},
        lambda: {"kind": "returns", "value": random.choice((None, "", True, "no"))},
        lambda: {"kind": "watch"},
    )
    kinds: tuple[int, ...] = (0, 0, 1, 2, 2, 3, 4, 5, 6, 7, 8, 9, 9)
    if rules.get("fee_percent") == 0.25:
        kinds = (0, 3, 3, 4, 4)
    chosen = [random.choice(kinds) for _ in range(random.choice((0, 1, 1, 2)))]
    return [{"name": f"r{place}", **makers[kind]()} for place, kind in enumerate(chosen, start=1)]


def commands_of(
    random: Random,
    start: int,
    minutes: int,
    strategies: list[dict[str, Any]],
    symbols: list[str],
) -> list[dict[str, Any]]:
    commands = []
    for _ in range(random.choice((0, 0, 3, 8))):
        at = start + random.randrange(-2, minutes) * MINUTE + random.choice((0, 0, -1, 1, 20_000))
        command: dict[str, Any] = {
            "at": at,
            "kind": random.choice(("cancel", "cancel", "flatten", "flatten", "flatten", "stop")),
            "symbol": random.choice(symbols),
            "strategy": random.choice(strategies)["name"],
        }
        if command["kind"] == "cancel" and random.randrange(2) == 0:
            command["id"] = random.choice(("x", "y", "z"))
            command["cancel_id"] = random.choice(("button-7", None))
        commands.append(command)
        if command["kind"] == "flatten" and random.randrange(3) == 0:
            commands += [{**command, "at": at + later * MINUTE} for later in range(1, 7)]
    return commands


def probes_of(
    random: Random, start: int, minutes: int, grids: dict[str, list[list[float]]]
) -> list[list[Any]]:
    probes = []
    same_end = len({grid[-1][0] for grid in grids.values()}) == 1
    for _ in range(random.choice((0, 2))):
        probe: list[Any] = [
            start + random.randrange(1, minutes) * MINUTE,
            random.choice(("1m", "3m", "5m", "15m")),
            random.choice((1, 2, 5)),
        ]
        probes.append([*probe, random.choice(sorted(grids))] if same_end else probe)
    return probes


def rules_of(random: Random) -> dict[str, Any]:
    rules: dict[str, Any] = {}
    if random.randrange(3):
        rules |= {"min_take_profit_percent": 0.4, "min_stop_loss_percent": 0.4}
    if random.randrange(3) == 0:
        rules["price"] = "average"
    if random.randrange(4) == 0:
        rules["touch"] = "average_price"
    if random.randrange(3) == 0:
        rules["same_candle"] = "target_first"
    if random.randrange(2):
        rules["schedule_await_minutes"] = random.choice((1, 3, 7))
    if random.randrange(3) == 0:
        rules["average_price_candles"] = random.choice((1, 2, 3, 10))
    match random.randrange(3):
        case 0:
            rules |= {"slippage_percent": 0, "fee_percent": 0}
            rules["min_take_profit_percent"] = random.choice((0, 0.4, 1))
        case 1:  # a trade at an unchanged price costs half a percent, exactly
            rules |= {"slippage_percent": 0, "fee_percent": 0.25}
            rules["min_take_profit_percent"] = 0.5
    if random.randrange(6) == 0:
        rules["min_stop_loss_percent"] = random.choice((0, 0.4, 1))
    if random.randrange(6) == 0:
        rules["max_stop_loss_percent"] = random.choice((1, 1.5))
    if random.randrange(8) == 0:
        rules["max_signal_minutes"] = random.choice((3, 10))
    if random.randrange(6) == 0:
        rules["require_take_profit"] = True
    if random.randrange(4) == 0:
        rules["maker_fee_percent"] = random.choice((0.0, 0.02))
    if random.randrange(4) == 0:
        rules["slippage_on"] = "market"
    if random.randrange(4) == 0:
        rules["loosen_stop"] = True
    if random.randrange(3) == 0:
        rules["gap_minutes"] = random.choice((0, 1, 2, None))
    if random.randrange(4) == 0:
        rules["max_entries"] = random.choice((1, 2))
    return rules


# ------------------------------------------------------------------------------- noise, for law 5


def close_times(scenario: dict[str, Any]) -> list[int]:
    """The close times that a scenario consumes, missing minutes included."""
    opened = [
        int(row[0])
        for symbol in scenario["symbols"]
        for row in raw_rows(scenario["candles"][symbol])
    ]
    times = range(min(opened) + MINUTE, max(opened) + MINUTE + 1, MINUTE)
    return [time for time in times if scenario["start"] < time <= scenario["end"]]


def missing_times(scenario: dict[str, Any]) -> list[int]:
    """The close times at which a candle of some symbol is missing."""
    there = [
        {int(row[0]) + MINUTE for row in raw_rows(scenario["candles"][symbol])}
        for symbol in scenario["symbols"]
    ]
    return [time for time in close_times(scenario) if not all(time in times for times in there)]


def with_noise_after(scenario: dict[str, Any], at: int, random: Random) -> dict[str, Any]:
    """The same scenario, but every candle that closes after `at` is another one, and a good one."""
    candles = {}
    for symbol in scenario["symbols"]:
        given = raw_rows(scenario["candles"][symbol])
        # Rows of one time are one candle, so they are replaced by the same one.
        noise = {row[0]: noise_at(row[0], random) for row in given}
        candles[symbol] = [row if row[0] + MINUTE <= at else noise[row[0]] for row in given]
    return {**scenario, "candles": candles}


def noise_at(time: int, random: Random) -> list[float]:
    prices = sorted(random.choice((70.0, 90.0, 95.5, 100.0, 104.5, 130.0)) for _ in range(4))
    low, open_, close, high = prices
    if random.randrange(2):
        open_, close = close, open_
    return [time, open_, high, low, close, random.choice((0.0, 2.0, 9.0))]
