"""Notebooks to be exported: those that give the same trades, and those that must be refused."""

from __future__ import annotations

from typing import NamedTuple

IMPORT = "import tradenb as tn"
ANSWER = """
    return tn.long(take_profit=1.01 * ctx.price, stop_loss=0.99 * ctx.price, minutes=90)
"""
PLAIN = f"""
@tn.strategy("dip", every="15m")
def dip(ctx):
    if ctx.price > ctx.candles("15m", 8).close.mean():
        return None{ANSWER}"""

MEAN_OF = 'mean_of(ctx.candles("15m", 8).close)'
MODULE = """
import statistics as figures

SHARE = 1.0


def mean_of(closes):
    return SHARE * closes.mean()


class Mean:
    def __init__(self, candles):
        self.value = mean_of(candles.close)


def unused():
    return SHARE
"""
WHOLE = 'whole_module.mean_of(ctx.candles("15m", 8).close)'

MAKER = """
def make(span):
    @tn.strategy("dip", every="15m")
    def strategy(ctx):
        if ctx.price > ctx.indicators["mean"]:
            return None
        return tn.long(take_profit=1.01 * ctx.price, stop_loss=0.99 * ctx.price, minutes=90)

    @strategy.indicators("15m")
    def means(df):
        return {"mean": df.close.rolling(span).mean()}

    return strategy
"""


class Good(NamedTuple):
    """Cells, what is exported, and what its script must hold."""

    cells: tuple[str, ...]
    names: tuple[str, ...] = ("dip",)
    holds: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()


class Bad(NamedTuple):
    """Cells, and a pattern of the message."""

    cells: tuple[str, ...]
    message: str


GOOD = {
    "helpers_across_cells": Good(
        (
            IMPORT,
            "LEVEL = 0.9995  # how deep a dip has to be",
            "# the mean of what closed\ndef mean_of(closes):\n    return closes.mean()",
            "def is_dip(closes):\n    return closes[-1] < LEVEL * mean_of(closes)",
            "unused = 12\ndef not_needed():\n    return unused",
            f"""
@tn.strategy("dip", every="15m")
def dip(ctx):
    # only dips
    if not is_dip(ctx.candles("15m", 8).close):
        return None{ANSWER}""",
        ),
        holds=("LEVEL = 0.9995  # how deep a dip has to be", "# the mean of what", "# only dips"),
        lacks=("unused", "not_needed"),
    ),
    "a_strategy_class": Good(
        (
            IMPORT,
            """
@tn.strategy("dip", every="15m")
class Dip(tn.Strategy):
    depth = 0.9995

    def get_signal(self, ctx):
        if ctx.price > self.depth * ctx.candles("15m", 8).close.mean():
            return None
        return self.buy(ctx)

    def buy(self, ctx):
        return tn.long(take_profit=1.01 * ctx.price, stop_loss=0.99 * ctx.price, minutes=90)

    def on_open(self, event):
        pass
""",
        ),
        ("Dip",),
    ),
    "an_object_of_a_strategy_class": Good(
        (
            IMPORT,
            """
class Dip(tn.Strategy):
    def __init__(self, depth):
        self.depth = depth

    def get_signal(self, ctx):
        if ctx.price > self.depth * ctx.candles("15m", 8).close.mean():
            return None
        return tn.long(take_profit=1.01 * ctx.price, stop_loss=0.99 * ctx.price, minutes=90)
""",
            'dip = tn.strategy("dip", every="15m")(Dip(0.9995))',
        ),
        holds=("class Dip(tn.Strategy):", "(Dip(0.9995))"),
    ),
    "a_dataclass_of_settings": Good(
        (
            IMPORT,
            """
from dataclasses import dataclass

@dataclass(frozen=True)
class Settings:
    depth: float = 0.9995
    minutes: int = 60
""",
            "settings = Settings(minutes=90)",
            """
@tn.strategy("dip", every="15m")
def dip(ctx):
    if ctx.price > settings.depth * ctx.candles("15m", 8).close.mean():
        return None
    return tn.long(
        take_profit=1.01 * ctx.price, stop_loss=0.99 * ctx.price, minutes=settings.minutes
    )
""",
        ),
    ),
    "constants_of_all_kinds": Good(
        (
            IMPORT,
            'SIDES = {"long": 1, "short": -1}\nWORST = -1e9; DEPTH = 0.9995',
            "HOURS = {8, 9, 10, 20}",
            "TARGET, STOP = 1.01, 0.99\nHALF = DEPTH / 2\nLIMIT: int = 90",
            """
@tn.strategy("dip", every="15m")
def dip(ctx):
    if WORST > ctx.price or ctx.when.hour not in HOURS or SIDES["long"] < 0:
        return None
    if ctx.price > 2 * HALF * ctx.candles("15m", 8).close.mean():
        return None
    return tn.long(take_profit=TARGET * ctx.price, stop_loss=STOP * ctx.price, minutes=LIMIT)
""",
        ),
        holds=("TARGET, STOP = 1.01, 0.99", "HALF = DEPTH / 2", "LIMIT: int = 90"),
    ),
    "numpy_and_pandas_under_other_names": Good(
        (
            "import numpy as np, pandas as pd\nimport tradenb as tn",
            """
def span(closes: np.ndarray) -> pd.Series:
    return pd.Series(closes).rolling(4).mean()
""",
            f"""
@tn.strategy("dip", every="15m")
def dip(ctx):
    closes = ctx.candles("15m", 8).close
    if ctx.price > span(closes).iloc[-1] or np.isnan(closes).any():
        return None{ANSWER}""",
        ),
        holds=("import numpy as np\nimport pandas as pd\n",),
    ),
    "imports_of_all_kinds": Good(
        (
            "import tradenb as tn\nimport os, collections.abc",
            "import xml.etree.ElementTree as tree",
            "from math import sqrt as root, pi\nfrom statistics import mean\nimport json",
            f"""
@tn.strategy("dip", every="15m")
def dip(ctx):
    closes = ctx.candles("15m", 8).close.tolist()
    assert isinstance(closes, collections.abc.Sequence) and tree.fromstring("<a/>").tag == "a"
    if ctx.price > mean(closes) * root(pi) / root(pi):
        return None{ANSWER}""",
        ),
        holds=("import collections.abc\n", "from math import pi\nfrom math import sqrt as root\n"),
        lacks=("import json", "import os"),
    ),
    "star_import": Good(
        (
            IMPORT + "\nfrom statistics import *",
            f"""
@tn.strategy("dip", every="15m")
def dip(ctx):
    if ctx.price > median(ctx.candles("15m", 8).close):
        return None{ANSWER}""",
        ),
        holds=("from statistics import median\n",),
    ),
    "library_of_a_module_beside": Good(
        (
            IMPORT + "\nfrom whole_module import *",
            f"""
@tn.strategy("dip", every="15m")
def dip(ctx):
    if ctx.price > figures.median(ctx.candles("15m", 8).close):
        return None{ANSWER}""",
        ),
        holds=("import statistics as figures\n",),
        lacks=("whole_module",),
    ),
    "decorators": Good(
        (
            IMPORT,
            """
import functools

def only(hours):
    def decorate(function):
        @functools.wraps(function)
        def inner(ctx):
            return function(ctx) if ctx.when.hour in hours else None
        return inner
    return decorate
""",
            "BUSY = range(6, 22)",
            f"""
@tn.strategy("dip", every="15m")
@only(BUSY)
def dip(ctx):
    if ctx.price > ctx.candles("15m", 8).close.mean():
        return None{ANSWER}""",
        ),
    ),
    "async_strategy_and_helper": Good(
        (
            IMPORT + "\nimport asyncio",
            """
async def look(ctx):
    await asyncio.sleep(0)
    return ctx.candles("15m", 8).close
""",
            "import asyncio\nawait asyncio.sleep(0)\nDEPTH = await asyncio.sleep(0, 0.9995)",
            f"""
@tn.strategy("dip", every="15m")
async def dip(ctx):
    if ctx.price > DEPTH * (await look(ctx)).mean():
        return None{ANSWER}""",
        ),
        holds=("DEPTH = 0.9995",),
    ),
    "several_risk_rules": Good(
        (
            IMPORT,
            """
@tn.risk("not-late")
def not_late(book, candidate):
    if book.open_count > MOST:
        return "too many"
""",
            "MOST = 1",
            'tn.risks.cooldown(minutes=30, after="stop_loss", name="rest")',
            f"""
@tn.strategy("dip", every="15m", risk=[not_late, "rest", tn.risks.max_open(1)])
def dip(ctx):
    if ctx.price > ctx.candles("15m", 8).close.mean():
        return None{ANSWER}""",
        ),
        holds=('name="rest")', "MOST = 1"),
    ),
    "two_strategies_with_one_book": Good(
        (
            IMPORT,
            'limit = tn.risks.max_open(1, name="portfolio")',
            PLAIN.replace('every="15m"', 'every="15m", risk=limit'),
            """
@tn.strategy("rise", every="30m", risk=limit)
def rise(ctx):
    if ctx.price < ctx.candles("15m", 8).close.mean():
        return None
    return tn.short(take_profit=0.99 * ctx.price, stop_loss=1.01 * ctx.price, minutes=60)
""",
        ),
        ("dip", "rise"),
        holds=("strategy=[dip, rise],",),
    ),
    "a_closure_over_plain_values": Good(
        (
            IMPORT,
            """
def make(depth, minutes):
    @tn.strategy("dip", every="15m")
    def strategy(ctx):
        if ctx.price > depth * ctx.candles("15m", 8).close.mean():
            return None
        return tn.long(take_profit=1.01 * ctx.price, stop_loss=0.99 * ctx.price, minutes=minutes)
    return strategy
""",
            "dip = make(0.9995, minutes=90)",
        ),
        holds=("dip = make(0.9995, minutes=90)",),
    ),
    "a_strategy_inside_a_function": Good(
        (
            IMPORT,
            """
def make(depth):
    def is_dip(price, closes):
        return price < depth * closes.mean()

    @tn.strategy("dip", every="15m")
    def strategy(ctx):
        if is_dip(ctx.price, ctx.candles("15m", 8).close):
            return tn.long(take_profit=1.01 * ctx.price, stop_loss=0.99 * ctx.price, minutes=90)
    made.append(strategy)

made = []
for one in (0.9995,):
    make(one)
dip = None
""",
        ),
        ("made[0]",),
        holds=("depth = 0.9995", "def is_dip(price, closes):", "\n@tn.strategy"),
    ),
    "a_helper_defined_again_later": Good(
        (
            IMPORT,
            "def depth():\n    return 0.5",
            f"""
@tn.strategy("dip", every="15m")
def dip(ctx):
    if ctx.price > depth() * ctx.candles("15m", 8).close.mean():
        return None{ANSWER}""",
            "def depth():\n    return 0.9995",
        ),
        holds=("return 0.9995",),
        lacks=("return 0.5",),
    ),
    "partials_and_lambdas": Good(
        (
            IMPORT + "\nfrom functools import partial",
            "scaled = lambda price, factor: price * factor\ntarget = partial(scaled, factor=1.01)",
            """
@tn.strategy("dip", every="15m")
def dip(ctx):
    if ctx.price > ctx.candles("15m", 8).close.mean():
        return None
    return tn.long(take_profit=target(ctx.price), stop_loss=scaled(ctx.price, 0.99), minutes=90)
""",
        ),
    ),
    "functions_that_call_each_other": Good(
        (
            IMPORT,
            "def even(n):\n    return n == 0 or odd(n - 1)",
            "def odd(n):\n    return n != 0 and even(n - 1)",
            f"""
@tn.strategy("dip", every="15m")
def dip(ctx):
    if even(ctx.when.minute // 15):
        return None{ANSWER}""",
        ),
    ),
    "state_and_callbacks": Good(
        (
            IMPORT + "\nimport logging",
            """
log = logging.getLogger("dip")

def tell(event):
    log.debug("opened at %s", event.price)
""",
            f"""
@tn.strategy("dip", every="15m", on_open=tell, history="1d")
def dip(ctx):
    ctx.state["asks"] = ctx.state.get("asks", 0) + 1
    if ctx.state["asks"] % 3:
        return None{ANSWER}""",
        ),
    ),
    "decorated_in_two_steps": Good(
        (
            IMPORT,
            f"""
def dip(ctx):
    if ctx.price > ctx.candles("15m", 8).close.mean():
        return None{ANSWER}
dip = tn.strategy("dip", every="15m")(dip)
""",
        ),
    ),
    "numbers_made_from_research": Good(
        (
            IMPORT + "\nimport pandas as pd",
            "df = pd.DataFrame({'close': [1.0, 2.0, 4.0]})\nspread = float(df.close.std())",
            "DEPTH = 0.5\nDEPTH += 0.5",
            f"""
@tn.strategy("dip", every="15m")
def dip(ctx):
    if ctx.price > DEPTH * ctx.candles("15m", 8).close.mean() + 0 * spread:
        return None{ANSWER}""",
        ),
        holds=("# as it was in the notebook, cell [2]: float(df.close.std())", "DEPTH = 1.0"),
        lacks=("DataFrame", "pandas"),
    ),
    "magics_where_they_do_not_matter": Good(
        (
            "%matplotlib inline\n%load_ext autoreload\n" + IMPORT,
            "%%time\nDEPTH = 0.9995\ndef scaled(price):\n    return DEPTH * price",
            "!echo hello",
            PLAIN.replace("ctx.price >", "scaled(ctx.price) >"),
        ),
        lacks=("get_ipython", "autoreload"),
    ),
    "enums_and_an_import_that_may_fail": Good(
        (
            IMPORT + "\nimport re\nfrom enum import Enum\nfrom datetime import timedelta",
            "try:\n    import not_there_at_all\nexcept ImportError:\n    not_there_at_all = None",
            "class Side(Enum):\n    LONG = 'long'\n    SHORT = 'short'",
            "HELD = timedelta(minutes=90)",
            'WORD = re.compile("^l")',
            """
@tn.strategy("dip", every="15m")
def dip(ctx):
    if not_there_at_all or not WORD.match(Side.LONG.value):
        return None
    minutes = int(HELD.total_seconds() // 60)
    return tn.long(take_profit=1.01 * ctx.price, stop_loss=0.99 * ctx.price, minutes=minutes)
""",
        ),
    ),
    "indicators": Good(
        (
            IMPORT + "\nimport pandas as pd",
            "SPAN = 8",
            f"""
@tn.strategy("dip", every="15m")
def dip(ctx):
    if ctx.price > ctx.indicators["mean"]:
        return None{ANSWER}""",
            """
@dip.indicators("15m")
def means(df):
    return pd.DataFrame({"mean": df.close.rolling(SPAN).mean()})
""",
        ),
        holds=("SPAN = 8\n", '@dip.indicators("15m")\ndef means(df):'),
    ),
    "manage": Good(
        (
            IMPORT,
            "SPAN = 8",
            """
@tn.strategy("dip", every="15m")
def dip(ctx):
    if ctx.price > ctx.candles("15m", SPAN).close.mean():
        return None
    return tn.long(stop_loss=tn.percent(3))
""",
            "PART = 0.5",
            """
@dip.manage(every="5m")
def follow(ctx):
    if ctx.position.pnl_percent > 0.6:
        return [tn.close(PART), tn.breakeven()]
    return tn.close() if ctx.price >= ctx.candles("15m", SPAN).close.max() else None
""",
        ),
        holds=("PART = 0.5\n", '@dip.manage(every="5m")\ndef follow(ctx):'),
    ),
    "one_function_in_all_states": Good(
        (
            IMPORT,
            """
@tn.strategy("dip", every="15m", manage=True)
def dip(ctx):
    if ctx.price > ctx.candles("15m", 8).close.mean():
        return tn.long(stop_loss=0.95 * ctx.price)
    return tn.short(stop_loss=1.05 * ctx.price)
""",
        ),
        holds=('@tn.strategy("dip", every="15m", manage=True)',),
    ),
    "a_class_that_manages": Good(
        (
            IMPORT,
            """
class Dip(tn.Strategy):
    span = 8

    def get_signal(self, ctx):
        if ctx.price > ctx.candles("15m", self.span).close.mean():
            return None
        return tn.long(stop_loss=tn.percent(3))

    def manage(self, ctx):
        return tn.close() if ctx.price >= ctx.candles("15m", self.span).close.max() else None


dip = tn.strategy("dip", every="15m")(Dip)
""",
        ),
        holds=("def manage(self, ctx):",),
    ),
    "indicators_inside_a_function": Good(
        (IMPORT, MAKER, "dip = make(8)"),
        holds=("dip = make(8)",),
    ),
    "indicators_of_a_strategy_that_has_no_name": Good(
        (IMPORT, MAKER, "dip = None", "made = [make(span) for span in (8,)]"),
        ("made[0]",),
        holds=("span = 8\n", '@strategy.indicators("15m")\ndef means(df):'),
    ),
    "vectorised": Good(
        (
            IMPORT + "\nimport numpy as np",
            """
@tn.strategy("dip", every="15m", vectorised=True)
def dip(df):
    is_dip = df.close < df.close.rolling(8).mean()
    return {
        "position": np.where(is_dip, "long", None),
        "take_profit": 1.01 * df.close,
        "stop_loss": 0.99 * df.close,
        "minutes": 90,
    }
""",
        ),
    ),
    "an_import_for_types_only": Good(
        (
            IMPORT,
            """
from __future__ import annotations
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from decimal import Decimal as Exact
    import numpy.typing as npt
def mean_of(closes: npt.NDArray, at_least: Exact | None = None) -> float:
    return float(closes.mean())
""",
            PLAIN.replace('ctx.candles("15m", 8).close.mean()', MEAN_OF),
        ),
        holds=("if TYPE_CHECKING:\n", "    from decimal import Decimal as Exact\n"),
        lacks=("    import typing",),
    ),
    "a_quoted_annotation": Good(
        (
            IMPORT,
            "import typing\nif typing.TYPE_CHECKING:\n    from numpy.typing import NDArray",
            "def mean_of(closes: 'NDArray') -> float:\n    return float(closes.mean())",
            PLAIN.replace('ctx.candles("15m", 8).close.mean()', MEAN_OF),
        ),
        holds=("    from numpy.typing import NDArray\n",),
    ),
    "a_small_series": Good(
        (
            IMPORT + "\nimport pandas as pd",
            "spans = pd.Series({'fast': 8, 'slow': 24})",
            PLAIN.replace('"15m", 8', '"15m", int(spans["fast"])'),
        ),
        holds=("spans = pd.Series(",),
    ),
    "a_small_frame_and_an_index": Good(
        (
            IMPORT + "\nimport pandas as pd",
            "spans = pd.DataFrame({'span': [8, 24]}, index=['fast', 'slow'])",
            "names = pd.Index(['fast', 'slow'])",
            PLAIN.replace('"15m", 8', '"15m", int(spans.span[names[0]])'),
        ),
        holds=("names = pd.Index(",),
    ),
    "functions_for_types": Good(
        (
            IMPORT + "\nimport functools\nSCALE = 1.0",
            """
@functools.singledispatch
def level(value):
    return value.mean()

@level.register
def _(value: float):
    return SCALE * value

@level.register(int)
def whole(value):
    return float(value)

def of_text(value):
    return float(value)
level.register(str, of_text)
""",
            PLAIN.replace("ctx.price >", "level(ctx.price) >").replace(
                'ctx.candles("15m", 8).close.mean()', 'level(ctx.candles("15m", 8).close)'
            ),
        ),
        holds=("@level.register(int)\n", "level.register(str, of_text)\n", "SCALE = 1.0\n"),
    ),
    "arguments_of_a_table": Good(
        (
            IMPORT + "\nimport pandas as pd",
            MAKER,
            "table = pd.DataFrame({'span': [24, 8], 'sharpe': [0.1, 0.9]})",
            "best = table.sort_values('sharpe').iloc[-1]",
            "dip = make(int(best.span))",
        ),
        holds=("span = 8\n",),
        lacks=("best",),
    ),
    "arguments_of_a_table_as_they_are": Good(
        (
            IMPORT + "\nimport pandas as pd",
            MAKER,
            "table = pd.DataFrame({'span': [24, 8], 'sharpe': [0.1, 0.9]})",
            "dip = make(table.loc[table.sharpe.idxmax(), 'span'])",
        ),
        holds=("span = 8\n",),
    ),
    "arguments_of_a_table_by_name": Good(
        (
            IMPORT + "\nimport pandas as pd",
            MAKER,
            "table = pd.DataFrame({'span': [24, 8], 'sharpe': [0.1, 0.9]})",
            "dip = make(**table.loc[[1], ['span']].to_dict('records')[0])",
        ),
        holds=("span = 8\n",),
    ),
    "a_local_that_an_inner_function_changes": Good(
        (
            IMPORT,
            f"""
@tn.strategy("dip", every="15m")
def dip(ctx):
    mean = 0.0
    def look(count):
        nonlocal mean
        mean = max(mean, ctx.candles("15m", count).close.mean())
    look(8)
    if ctx.price > mean:
        return None{ANSWER}""",
        ),
    ),
    "a_number_of_numpy": Good(
        (
            IMPORT + "\nimport numpy as np\ncloses = np.linspace(0.9, 1.1, 5_000)",
            "DEPTH = 1 + 0 * closes.std()",
            PLAIN.replace("ctx.price >", "DEPTH * ctx.price >"),
        ),
        holds=("DEPTH = 1.0\n",),
    ),
    "a_module_as_a_whole": Good(
        (
            IMPORT + "\nimport whole_module",
            PLAIN.replace('ctx.candles("15m", 8).close.mean()', WHOLE),
        ),
        holds=(
            "whole_module = SimpleNamespace(mean_of=mean_of)\n",
            "# from whole_module.py\ndef mean_of(closes):",
        ),
        lacks=("import whole_module", "def unused"),
    ),
    "a_module_under_another_name": Good(
        (
            IMPORT + "\nimport whole_module as own",
            "def at_least(closes):\n    return own.SHARE * own.mean_of(closes)",
            PLAIN.replace("ctx.price >", "own.SHARE * ctx.price >").replace(
                'ctx.candles("15m", 8).close.mean()', 'at_least(ctx.candles("15m", 8).close)'
            ),
        ),
        holds=("own = SimpleNamespace(SHARE=SHARE, mean_of=mean_of)\n",),
    ),
    "a_module_with_a_class": Good(
        (
            IMPORT + "\nimport whole_module as own",
            PLAIN.replace(
                'ctx.candles("15m", 8).close.mean()', 'own.Mean(ctx.candles("15m", 8)).value'
            ),
        ),
        holds=("own = SimpleNamespace(Mean=Mean)\n", "class Mean:"),
    ),
    "a_variable_of_the_environment": Good(
        (
            IMPORT + "\nimport os\nos.environ['TRADENB_TEST_SPAN'] = '8'",
            PLAIN.replace('"15m", 8', '"15m", int(os.environ["TRADENB_TEST_SPAN"])'),
        ),
        holds=("It reads TRADENB_TEST_SPAN from the environment.",),
    ),
    "a_file_that_every_machine_has": Good(
        (
            IMPORT,
            PLAIN.replace(
                "    if ctx",
                "    with open('/dev/null') as file:\n        text = file.read()\n"
                "    if text or ctx",
            ),
        ),
    ),
    "cells_run_out_of_order": Good(
        (
            IMPORT,
            f"""
@tn.strategy("dip", every="15m")
def dip(ctx):
    if ctx.price > DEPTH * ctx.candles("15m", 8).close.mean():
        return None{ANSWER}""",
            "BASE = 0.5",
            "DEPTH = BASE + 0.5",
        ),
    ),
}

BAD = {
    "a_closure_over_research_data": Bad(
        (
            IMPORT + "\nimport pandas as pd\ndf = pd.DataFrame({'close': [1.0] * 31_680})",
            """
def make(df):
    @tn.strategy("dip", every="15m")
    def strategy(ctx):
        if ctx.price > df.close.mean():
            return None
        return tn.long(take_profit=1.01 * ctx.price, stop_loss=0.99 * ctx.price, minutes=90)
    return strategy
dip = make(df)
""",
        ),
        r"`dip` of cell \[2\] is made from `df`, a DataFrame of 31,680 rows: research data",
    ),
    "research_data_in_a_global": Bad(
        (
            IMPORT + "\nimport pandas as pd\ndf = pd.DataFrame({'close': [1.0] * 2_000})",
            PLAIN.replace("ctx.price >", "df.close.mean() >"),
        ),
        r"`df` of cell \[1\] is a DataFrame of 2,000 rows.*LEVEL = float\(df.close.mean\(\)\)",
    ),
    "a_series_that_was_changed": Bad(
        (
            IMPORT + "\nimport pandas as pd\nspans = pd.Series({'fast': 8})",
            PLAIN.replace('"15m", 8', '"15m", int(spans["fast"])'),
            "spans['fast'] = 24",
        ),
        r"`spans` differs: value is Series \w+ in the notebook and Series \w+ in the script",
    ),
    "a_module_that_is_passed_on": Bad(
        (
            IMPORT + "\nimport whole_module as own",
            PLAIN.replace("ctx.price >", "vars(own)['SHARE'] >"),
        ),
        r"uses the module whole_module, a file beside the notebook",
    ),
    "a_name_from_nowhere": Bad(
        (
            IMPORT + "\nglobals()['DEPTH'] = 0.9995",
            PLAIN.replace("ctx.price >", "ctx.price > DEPTH *"),
        ),
        r"`dip` of cell \[2\] uses `DEPTH` \(0.9995\), which no cell defines.*hidden state.*"
        r"Write DEPTH = ... in a cell",
    ),
    "a_name_that_is_not_defined": Bad(
        (IMPORT, PLAIN.replace("ctx.price >", "ctx.price > DEPTH *")),
        r"`dip` of cell \[2\] uses `DEPTH`, which is not defined; run the cell",
    ),
    "a_global_list_that_grows": Bad(
        (
            IMPORT + "\nseen = []",
            PLAIN.replace("    if", "    seen.append(ctx.now)\n    if"),
        ),
        r"`dip` of cell \[2\] changes `seen`, which is outside .*Keep it in ctx.state\[\"seen\"\]",
    ),
    "a_global_counter": Bad(
        (
            IMPORT + "\ncount = 0",
            PLAIN.replace("    if", "    global count\n    count += 1\n    if"),
        ),
        r"`dip` of cell \[2\] changes `count`, which is outside it.*ctx.state\[\"count\"\]",
    ),
    "a_global_that_was_changed": Bad(
        (
            IMPORT + "\nsettings = {'depth': 0.5}",
            PLAIN.replace("ctx.price >", "ctx.price > settings['depth'] *"),
            "settings['depth'] = 0.9995",
        ),
        r"`settings` is \{'depth': 0.9995\} now, and \{'depth': 0.5\} in cell \[1\]: something "
        r"changed it",
    ),
    "a_counter_in_a_closure": Bad(
        (
            IMPORT,
            """
def make():
    count = 0
    @tn.strategy("dip", every="15m")
    def strategy(ctx):
        nonlocal count
        count += 1
        if count % 2:
            return None
        return tn.long(take_profit=1.01 * ctx.price, stop_loss=0.99 * ctx.price, minutes=90)
    return strategy
dip = make()
""",
        ),
        r"`make` of cell \[2\] changes `count`, which is outside it.*ctx.state\[\"count\"\]",
    ),
    "an_object_that_the_strategy_changes": Bad(
        (
            IMPORT + "\nclass Tally:\n    count = 0\ntally = Tally()",
            PLAIN.replace("    if", "    tally.count += 1\n    if"),
        ),
        r"the strategy changed `tally` while it ran \(value was Tally.*Keep it in ctx.state",
    ),
    "a_setting_that_was_changed_after_the_cell_ran": Bad(
        (
            IMPORT + "\nEVERY = '15m'",
            PLAIN.replace('every="15m"', "every=EVERY"),
            "EVERY = '30m'",
        ),
        r"`dip` differs: every is '15m' in the notebook and '30m' in the script.*run the cell of "
        r"`dip` again",
    ),
    "a_default_that_was_changed_after_the_cell_ran": Bad(
        (
            IMPORT + "\nDEPTH = 0.9995\ndef scaled(price, by=DEPTH):\n    return price * by",
            PLAIN.replace("ctx.price >", "ctx.price > scaled(1) *"),
            "DEPTH = 0.5",
        ),
        r"`scaled` differs: default of by is 0.9995 in the notebook and 0.5 in the script",
    ),
    "chance_without_a_seed": Bad(
        (
            IMPORT + "\nimport random",
            PLAIN.replace("    if", "    if random.random() < 0.5:\n        return None\n    if"),
        ),
        r"the first trade that differs is at 2024-01-\d\d \d\d:\d\d: the notebook has .*random",
    ),
    "a_patched_module": Bad(
        (
            IMPORT + "\nimport statistics\nstatistics.mean = lambda values: 1e9",
            PLAIN.replace('ctx.candles("15m", 8).close.mean()', "statistics.mean([1, 2])"),
        ),
        r"the first trade that differs is at .*: the notebook has .*a patched module",
    ),
    "a_file_beside_the_notebook": Bad(
        (
            IMPORT + "\nfrom pathlib import Path\nPath('level.txt').write_text('0.9995')",
            PLAIN.replace("ctx.price >", "ctx.price > float(Path('level.txt').read_text()) *"),
        ),
        r"the first trade that differs is at .*the script has error .*level.txt.*a file",
    ),
    "a_shell_line": Bad(
        (
            IMPORT + "\nlines = !ls",
            PLAIN.replace("    if", "    if not lines:\n        return None\n    if"),
        ),
        r"`lines` of cell \[1\] needs a notebook \(get_ipython: a magic, a shell line",
    ),
    "an_object_from_an_await_cell": Bad(
        (
            IMPORT + "\nimport asyncio\nclass Feed:\n    depth = 0.9995",
            "feed = await asyncio.sleep(0, Feed())",
            PLAIN.replace("ctx.price >", "ctx.price > feed.depth *"),
        ),
        r"`feed` comes from an `await` in cell \[2\]",
    ),
    "something_to_show": Bad(
        (
            IMPORT + "\nfrom IPython.display import display as show\ndisplay = show",
            PLAIN.replace("    if", "    display(ctx.now)\n    if"),
        ),
        r"`dip` of cell \[2\] needs a notebook \(display: .*; write it in plain Python",
    ),
    "a_secret_written_out": Bad(
        (
            IMPORT + "\nAPI_KEY = 'canary-0123456789'",
            PLAIN.replace("    if", "    if not API_KEY:\n        return None\n    if"),
        ),
        r"`API_KEY` in cell \[1\] is a secret in plain text.*os.environ\[\"API_KEY\"\]$",
    ),
    "a_person_who_is_asked": Bad(
        (
            IMPORT + "\nfrom getpass import getpass\nask = lambda: getpass('key')",
            PLAIN.replace("    if", "    if ctx.now < 0:\n        return ask()\n    if"),
        ),
        r"`ask` of cell \[1\] waits for input",
    ),
    "a_generator_of_chance_that_goes_on": Bad(
        (
            IMPORT + "\nimport random\nchance = random.Random(3)",
            PLAIN.replace("    if", "    if chance.random() < 0.5:\n        return None\n    if"),
        ),
        r"the strategy changed `chance` while it ran.*Keep it in ctx.state",
    ),
    "an_object_that_another_cell_changed": Bad(
        (
            IMPORT + "\nfrom types import SimpleNamespace\nsettings = SimpleNamespace(depth=0.5)",
            PLAIN.replace("ctx.price >", "ctx.price > settings.depth *"),
            "settings.depth = 0.9995",
        ),
        r"`settings` differs: value is SimpleNamespace {\"depth\": 0.9995} in the notebook and ",
    ),
    "something_made_step_by_step": Bad(
        (
            IMPORT + "\nclass Level:\n    by = 0.9995\nfor level in (Level(),):\n    pass",
            PLAIN.replace("ctx.price >", "ctx.price > level.by *"),
        ),
        r"`level` is built in several steps in cell \[1\]; write one statement: level = ...",
    ),
}
