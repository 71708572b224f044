"""`tradenb export`: a notebook file is exported without being opened, and nothing goes live."""

from __future__ import annotations

import json

import pytest

from tests.exporting.corpus import IMPORT, PLAIN
from tradenb.cli import main
from tradenb.engine.ports import CandleRequest
from tradenb.exporting.script_text import is_ours

pytestmark = pytest.mark.usefixtures("fresh", "inside", "forked")
MARKET = "ex = tn.testing.random_walk(seed=7, days=4)"
BACKTEST = 'result = tn.backtest.run("BTCUSDT", strategy=dip, exchange=ex)'
LIVE = """
fee = print("said by a cell") or 0.05

@tn.exchange("mine")
def mine(symbol, since, limit):
    raise RuntimeError("nobody may be asked")

acc = tn.Account(cash=1_000, percent=20)
run = tn.live.background(
    "ETHUSDT", strategy=dip, exchange=mine, rules=tn.Rules(fee_percent=fee), account=acc
)
run.stop()
"""


@pytest.fixture
def notebook(inside):
    """Write a notebook file."""

    def write(*cells, folder="."):
        prose = {"cell_type": "markdown", "id": "prose", "metadata": {}, "source": ["# A title"]}
        code = [
            {
                "cell_type": "code",
                "id": f"cell-{number}",
                "metadata": {},
                "execution_count": None,
                "outputs": [],
                "source": text.splitlines(keepends=True),
            }
            for number, text in enumerate(cells)
        ]
        path = inside / folder / "research.ipynb"
        path.parent.mkdir(exist_ok=True)
        whole = {"cells": [prose, *code], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        path.write_text(json.dumps(whole))
        return str(path)

    return write


def test_the_last_backtest_says_what_is_exported(notebook, inside, capsys):
    cells = (IMPORT, "1 / 0  # a cell that nobody needs", MARKET, "", PLAIN, BACKTEST)
    assert main(["export", notebook(*cells)]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"exported {inside / 'research.py'}: dip on BTCUSDT, ")
    assert "--exchange NAME" in said
    text = (inside / "research.py").read_text()
    assert is_ours(text)
    assert "exchange=None," in text


def test_a_live_run_says_more_than_a_backtest_and_is_not_started(notebook, inside, capsys):
    cells = (IMPORT, MARKET, PLAIN, LIVE, BACKTEST, "ex2 = tn.testing.random_walk(seed=8, days=4)")
    saved = inside / "candles"
    saved.mkdir()
    write_candles(saved / "ETHUSDT-1m.npy")
    arguments = ["--candles", "candles/*.npy", "-o", "bot.py", "--json"]
    assert main(["export", notebook(*cells), *arguments]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["symbols"] == ["ETHUSDT"]
    assert said["trades"] >= 5
    assert said["warnings"] == []
    text = (inside / "bot.py").read_text()
    assert "exchange=mine," in text
    assert "rules=tn.Rules(fee_percent=0.05)," in text
    assert "account=tn.Account(cash=1000.0, percent=20.0)," in text
    assert 'home=str(Path(__file__).resolve().parent / "home"),' in text


def test_a_broker_of_the_notebook_goes_into_the_script(notebook, inside, capsys, monkeypatch):
    monkeypatch.setenv("NB_KEY", "a-key-that-no-file-may-hold")
    monkeypatch.setenv("NB_SECRET", "a-secret-that-no-file-may-hold")
    broker = (
        'broker = tn.broker("binance", mode="sandbox", account=acc, apiKey="env:NB_KEY", '
        'secret="env:NB_SECRET")\nrun = tn'
    )
    live = LIVE.replace("run = tn", broker).replace("account=acc\n)", "broker=broker\n)")
    saved = inside / "candles"
    saved.mkdir()
    write_candles(saved / "ETHUSDT-1m.npy")
    arguments = ["--candles", "candles/*.npy", "-o", "bot.py", "--json"]
    assert main(["export", notebook(IMPORT, MARKET, PLAIN, live), *arguments]) == 0
    said = json.loads(capsys.readouterr().out)
    assert any("once it is armed where it runs" in words for words in said["warnings"])
    text = (inside / "bot.py").read_text()
    assert "broker=broker," in text
    assert 'apiKey="env:NB_KEY",' in text
    assert "may-hold" not in text


def write_candles(path):
    import numpy as np

    import tradenb as tn

    walk = tn.testing.random_walk(seed=7, days=4)
    candles = walk.load(CandleRequest(symbol="ETHUSDT", rules=tn.Rules())).candles
    names = ("time", "open", "high", "low", "close", "volume")
    np.save(path, np.stack([getattr(candles, name) for name in names], axis=1))


def test_arguments_say_it_where_the_notebook_does_not(notebook, capsys):
    other = PLAIN.replace('"dip"', '"other"').replace("def dip", "def other")
    file = notebook(IMPORT, MARKET, PLAIN, other)
    assert main(["export", file]) == 2
    assert "its strategies are dip, other; pass --strategy NAME" in capsys.readouterr().err
    given = ["--strategy", "other", "--symbol", "BTCUSDT", "--exchange", "ex"]
    assert main(["export", file, *given]) == 0
    assert ": other on BTCUSDT, " in capsys.readouterr().out


def test_magics_are_passed_over_where_they_do_not_matter(notebook, inside):
    cells = (
        "%matplotlib inline\n" + IMPORT,
        "%%bash\nrm -rf /not/executed",
        "%%time\nDEPTH = 0.9995",
        MARKET,
        PLAIN.replace("ctx.price >", "ctx.price > DEPTH *"),
        "!pip list\ndip?",
        BACKTEST,
    )
    assert main(["export", notebook(*cells)]) == 0
    assert "DEPTH = 0.9995\n" in (inside / "research.py").read_text()


def test_a_module_beside_the_notebook_is_copied_into_the_script(notebook, inside):
    (inside / "beside").mkdir()
    (inside / "beside" / "my_helpers.py").write_text(
        "SHARE = 0.9995\n\n\ndef mean_of(closes):\n    return SHARE * closes.mean()\n"
    )
    cells = (
        IMPORT + "\nfrom my_helpers import mean_of as average",
        MARKET,
        PLAIN.replace('ctx.candles("15m", 8).close.mean()', 'average(ctx.candles("15m", 8).close)'),
        BACKTEST,
    )
    assert main(["export", notebook(*cells, folder="beside"), "-o", "bot.py"]) == 0
    text = (inside / "bot.py").read_text()
    assert "SHARE = 0.9995\n" in text
    assert "average = mean_of\n" in text
    assert "import my_helpers" not in text


REFUSED = {
    "deleted cell": ((IMPORT, MARKET, PLAIN.replace("ctx.price >", "DEPTH >"), BACKTEST),
        "uses `DEPTH`, which is not defined"),
    "setting of a deleted cell": ((IMPORT, MARKET, "DEPTH = HALF * 2",
        PLAIN.replace("ctx.price >", "DEPTH >"), BACKTEST),
        "cell [3] uses `HALF`, which no cell before it defines"),
    "shell line": ((IMPORT, MARKET, "files = !ls",
        PLAIN.replace("ctx.price >", "len(files) >"), BACKTEST),
        "`files` of cell [3] needs a notebook ("),
    "magic cell": ((IMPORT, MARKET, "%%writefile depth.py\nDEPTH = 1",
        "from depth import DEPTH", PLAIN.replace("ctx.price >", "DEPTH >"), BACKTEST),
        "cell [4] raised ModuleNotFoundError: No module named 'depth'"),
    "whole local module": ((IMPORT, MARKET, "from pathlib import Path",
        "Path('by_itself.py').write_text('DEPTH = 1')", "import json\nimport by_itself",
        PLAIN.replace("ctx.price >", "by_itself.DEPTH >"), BACKTEST),
        "raised ModuleNotFoundError"),
    "mutated": ((IMPORT, MARKET, "depth = {'by': 0.5}",
        PLAIN.replace("ctx.price >", "depth['by'] * ctx.price >"), "depth['by'] = 1", BACKTEST),
        "`depth` is {'by': 1} now, and {'by': 0.5} in cell [3]"),
    "environment": ((IMPORT, MARKET, "import os\nDEPTH = float(os.environ['NOT_SET_ANYWHERE'])",
        PLAIN.replace("ctx.price >", "DEPTH >"), BACKTEST),
        "cell [3] reads NOT_SET_ANYWHERE from the environment"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_exported_is_refused_with_the_cells_number(name, notebook, inside, capsys):
    cells, words = REFUSED[name]
    assert main(["export", notebook(*cells)]) == 2
    assert words in capsys.readouterr().err
    assert not (inside / "research.py").exists()


def test_a_module_that_is_used_as_a_whole_is_copied_as_far_as_it_is_used(notebook, inside):
    (inside / "by_itself.py").write_text("DEPTH = 0.9995\n")
    cells = (
        IMPORT + "\nimport by_itself",
        MARKET,
        PLAIN.replace("ctx.price >", "by_itself.DEPTH >"),
    )
    assert main(["export", notebook(*cells, BACKTEST)]) == 0
    text = (inside / "research.py").read_text()
    assert "# from by_itself.py\nDEPTH = 0.9995\n" in text
    assert "by_itself = SimpleNamespace(DEPTH=DEPTH)\n" in text


def test_what_is_no_notebook_is_said(inside, capsys):
    (inside / "no.ipynb").write_text("{}")
    assert main(["export", "no.ipynb"]) == 2
    assert "cannot read no.ipynb as a notebook" in capsys.readouterr().err
    assert main(["export", "not_there.ipynb"]) == 2


EXCHANGE = """
@tn.exchange("mine")
def mine(symbol, since, limit):
    raise RuntimeError("nobody may be asked")

both = ["BTCUSDT", "ETHUSDT"]
given = {"strategy": dip, "exchange": mine}
"""
GO = "tn.live.background(symbol, strategy=dip, exchange=mine)"
FORMS = {
    "loop": f"for symbol in both:\n    run = {GO}\n    run.wait()",
    "enumerated loop": f"for n, symbol in enumerate(both):\n    {GO}",
    "while": f"left = list(both)\nwhile left:\n    symbol = left.pop(0)\n    {GO}",
    "list": f"runs = [{GO} for symbol in both]",
    "dict": f"runs = {{symbol: {GO} for symbol in both}}",
    "generator": f"runs = list({GO} for symbol in both)",
    "map": f"runs = list(map(lambda symbol: {GO}, both))",
    "helper": f"def start(symbol):\n    return {GO}\n\nfor name in both:\n    start(name)",
    "helper of a helper": f"def one(symbol):\n    {GO}\n\ndef all():\n"
    "    for name in both:\n        one(name)\n\nall()",
    "partial": "import functools\ngo = functools.partial(tn.live.background, **given)\n"
    "for name in both:\n    go(name)",
    "another name": "go = tn.live.background\nfor name in both:\n    go(name, **given)",
    "imported": "from tradenb.live import background as go\n"
    "for name in both:\n    go(name, **given)",
    "by its text": "go = getattr(tn.live, 'background')\nfor name in both:\n    go(name, **given)",
    "condition": f"if both:\n    for symbol in both:\n        {GO}",
    "try": f"try:\n    for symbol in both:\n        {GO}\nfinally:\n    pass",
    "threads": "from concurrent.futures import ThreadPoolExecutor\n"
    "with ThreadPoolExecutor(1) as pool:\n"
    f"    list(pool.map(lambda symbol: {GO}, both))",
    "awaited": "async def start(symbol):\n"
    f"    return {GO}\n\nfor name in both:\n    await start(name)",
    "class": f"class Bot:\n    def start(self, symbol):\n        return {GO}\n\n"
    "bots = [Bot().start(name) for name in both]",
    "run": "for symbol in both:\n    for event in tn.live.run(symbol, **given):\n        1 / 0",
    "spread": "tn.live.background(both[0], **given)\ntn.live.background(both[1], **given)",
    "one by one": GO.replace("symbol,", '"BTCUSDT",') + "\n" + GO.replace("symbol,", '"ETHUSDT",'),
}


@pytest.mark.parametrize("name", FORMS)
def test_nothing_goes_live_in_any_form_and_each_symbol_is_in_the_script(
    name, notebook, inside, capsys, monkeypatch
):
    from tradenb.live.loop import startup
    from tradenb.live.run_registry import RunRegistry

    begun = []
    monkeypatch.setattr(RunRegistry, "start", lambda *given, **more: begun.append(given))
    monkeypatch.setattr(startup.Startup, "prepare", lambda *given: begun.append(given))
    saved = inside / "candles"
    saved.mkdir()
    for symbol in ("BTCUSDT", "ETHUSDT"):
        write_candles(saved / f"{symbol}-1m.npy")
    file = notebook(IMPORT, PLAIN, EXCHANGE, FORMS[name])
    assert main(["export", file, "--candles", "candles", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["symbols"] == ["BTCUSDT", "ETHUSDT"]
    assert begun == []
    assert not list((inside / "home").glob("data/state/**/*.json"))


def test_runs_that_are_no_product_are_refused(notebook, capsys, inside):
    other = PLAIN.replace('"dip"', '"other"').replace("def dip", "def other")
    pairs = "for symbol, s in [('BTCUSDT', dip), ('ETHUSDT', other)]:\n"
    file = notebook(IMPORT, PLAIN, other, EXCHANGE, pairs + f"    {GO}".replace("=dip", "=s"))
    assert main(["export", file]) == 2
    assert "not each strategy on each symbol" in capsys.readouterr().err


def test_what_a_held_run_is_asked_for_does_nothing():
    import asyncio

    import tradenb as tn
    from tradenb.exporting.collect.held_calls import HeldRun, held_calls
    from tradenb.live.run_registry import run_registry

    calls: list = []
    before = tn.live.background
    with held_calls(calls):
        run = tn.live.background("BTCUSDT", strategy="s", exchange="e")
        assert isinstance(run.wait(3).position, HeldRun)
        assert isinstance(tn.live.attach()("x"), HeldRun)
        with run, pytest.raises(Exception, match="nothing goes live during an export"):
            run_registry.start("BTCUSDT")
        assert [*run] == asyncio.run(gathered(run)) == []
        assert not hasattr(run, "__len__")
    assert tn.live.background is before
    assert [(call.name, call.symbol) for call in calls] == [("background", "BTCUSDT")]


async def gathered(run):
    await run
    return [event async for event in run]
