"""`tn.export` itself: what it takes, what it keeps off disk, and whose files it leaves alone."""

from __future__ import annotations

import pytest

import tradenb as tn
from tests.exporting.corpus import ANSWER, IMPORT, PLAIN
from tests.exporting.notebook import EXCHANGE, Notebook
from tradenb.exporting import bot_process

pytestmark = pytest.mark.usefixtures("fresh", "inside", "forked")
CANARY = "canary-4711-secret"


def test_secrets_are_in_the_script_by_name_only(tmp_path, monkeypatch):
    monkeypatch.setenv("BOT_TOKEN", CANARY)
    book = Notebook(
        IMPORT + "\nimport os",
        'TOKEN = os.environ["BOT_TOKEN"]',
        PLAIN.replace("    if", "    if not TOKEN:\n        return None\n    if", 1),
        'ex = tn.ccxt_exchange("binance", apiKey="env:BINANCE_KEY", timeout=5_000)',
    )
    done = book.export(tmp_path / "bot.py", exchange=book.names["ex"], candles=EXCHANGE)
    text = done.path.read_text()
    assert 'ex = tn.ccxt_exchange("binance", apiKey="env:BINANCE_KEY", timeout=5_000)' in text
    assert "It reads BINANCE_KEY, BOT_TOKEN from the environment." in text
    everything = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(CANARY.encode() in data for data in [*everything, repr(done).encode()])


def test_an_exchange_of_ccxt_needs_no_name_in_a_cell(tmp_path):
    book = Notebook(IMPORT, PLAIN)
    exchange = tn.ccxt_exchange("kraken", cache=False, timeout=7_000)
    text = book.export(tmp_path / "bot.py", exchange=exchange, candles=EXCHANGE).path.read_text()
    assert 'exchange = tn.ccxt_exchange("kraken", timeout=7000, cache=False)\n' in text
    assert "        exchange=exchange,\n" in text


def test_a_file_that_an_export_did_not_write_is_left_alone(tmp_path):
    book = Notebook(IMPORT, PLAIN)
    path = tmp_path / "bot.py"
    path.write_text("mine = 1\n")
    with pytest.raises(
        tn.ExportError,
        match="an export did not write it or it was edited since; choose another name",
    ):
        book.export(path)
    assert path.read_text() == "mine = 1\n"
    path.unlink()
    book.export(path)
    first = path.read_text()
    book.run(PLAIN.replace("ctx.price >", "0.999 * ctx.price >"))
    book.export(path)
    assert path.read_text() != first
    path.write_text(first.replace("minutes=90", "minutes=91"))
    with pytest.raises(tn.ExportError, match="an export did not write it"):
        book.export(path)


def test_a_strategy_that_was_defined_again_is_not_exported_for_the_new_one(tmp_path):
    book = Notebook(IMPORT, PLAIN)
    book.names["old"] = old = book.names["dip"]
    del book.names["old"]
    book.run(PLAIN.replace("ctx.price >", "0.999 * ctx.price >"))
    with pytest.raises(
        tn.ExportError, match="strategy 'dip' was defined again after its run started"
    ):
        tn.export(tmp_path / "bot.py", old, symbol="BTCUSDT", exchange=EXCHANGE)


def test_an_export_and_a_process_tell_of_a_rule_that_was_declared_again(
    tmp_path, monkeypatch, caplog
):
    book = Notebook(
        IMPORT,
        'one = tn.risks.max_open(1, name="one")',
        PLAIN.replace('every="15m"', 'every="15m", risk=one'),
        'tn.risks.max_open(2, name="one")',
    )
    words = "strategy 'dip' uses an older version of risk rule 'one'"
    assert book.export(tmp_path / "bot.py").warnings[0].startswith(words)
    monkeypatch.setattr(bot_process, "export", lambda *given, **settings: None)
    monkeypatch.setattr(bot_process, "start_and_wait", lambda *given: None)
    tn.live.background(
        "BTCUSDT", strategy=book.names["dip"], exchange="binance", process=True, home=tmp_path
    )
    assert f"BTCUSDT:dip: {words}" in caplog.text


def test_modules_and_the_notebook_may_not_mean_different_things_by_a_name(tmp_path, monkeypatch):
    (tmp_path / "one_helper.py").write_text("LEVEL = 1\n\n\ndef scaled(x):\n    return LEVEL * x\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    book = Notebook(
        IMPORT + "\nfrom one_helper import scaled",
        "LEVEL = 0.9995",
        PLAIN.replace("ctx.price >", "scaled(ctx.price) > LEVEL *"),
    )
    with pytest.raises(
        tn.ExportError, match=r"another `LEVEL` .*than the rest .*rename one of them"
    ):
        book.export(tmp_path / "bot.py")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"symbol": None}, "pass symbol= and exchange= with a strategy"),
        ({"exchange": None}, "pass symbol= and exchange= with a strategy"),
        ({"exchange": "binannce"}, "did you mean 'binance"),
        ({"exchange": 3}, "exchange must be an exchange such as"),
        ({"start": "2024-01-03", "end": "2024-01-02"}, "start must be before end"),
    ],
)
def test_what_does_not_fit_together_is_said(tmp_path, given, words):
    with pytest.raises(tn.UsageError, match=words):
        Notebook(IMPORT, PLAIN).export(tmp_path / "bot.py", **given)


def test_names_that_the_script_needs_for_itself(tmp_path):
    book = Notebook(
        IMPORT,
        "def main(price):\n    return price",
        PLAIN.replace("ctx.price >", "main(ctx.price) >"),
    )
    with pytest.raises(tn.ExportError, match="needs the name main for itself; rename yours"):
        book.export(tmp_path / "bot.py")


def test_a_sample_that_shows_little_is_said(tmp_path):
    book = Notebook(IMPORT, '@tn.strategy("dip", every="1h")\ndef dip(ctx):\n    return None')
    done = book.export(tmp_path / "bot.py", start="2024-01-02", end="2024-01-03")
    assert done.trades == 0
    assert "no trade in the sample, so little is proven" in repr(done)
    raising = Notebook(IMPORT, f'@tn.strategy("dip", every="1h")\ndef dip(ctx):\n    1 / 0{ANSWER}')
    done = raising.export(tmp_path / "other.py")
    assert "the strategy raised" in repr(done)


def test_what_is_made_inside_a_function_and_cannot_be_taken_out_is_said(tmp_path):
    book = Notebook(
        IMPORT,
        """
def make():
    class Dip(tn.Strategy):
        def get_signal(self, ctx):
            return None
    rule = tn.risks.max_open(1)
    @tn.strategy("ruled", every="15m", risk=rule)
    def ruled(ctx):
        return None
    return tn.strategy("dip", every="15m")(Dip), ruled
""",
        "made = [*make()]",
    )
    with pytest.raises(
        tn.ExportError, match="belongs to the class Dip, which is not defined at the top"
    ):
        book.export(tmp_path / "bot.py", "made[0]")
    with pytest.raises(tn.ExportError, match=r"uses its `rule`; define it at the top of a cell"):
        book.export(tmp_path / "bot.py", "made[1]")


def test_candles_that_cannot_be_had_are_said_and_where_others_may_be(tmp_path):
    book = Notebook(
        IMPORT,
        """
@tn.exchange("mine", sleep=lambda seconds: None)
def mine(symbol, since, limit):
    raise OSError("no line")
""",
        PLAIN,
    )
    with pytest.raises(
        tn.ExportError,
        match=r"cannot load the candles of the sample: .*no line.*candles=tn\.file_exch",
    ):
        book.export(tmp_path / "bot.py", exchange=book.names["mine"])
    done = book.export(tmp_path / "bot.py", exchange=book.names["mine"], candles=EXCHANGE)
    assert done.warnings == ()


def test_long_rules_and_several_symbols_are_written_for_people(tmp_path):
    rules = tn.Rules(
        fee_percent=0.05, slippage_percent=0.05, min_take_profit_percent=0.25, tick_ms=30_000
    )
    book = Notebook(IMPORT, PLAIN)
    given = {"symbol": ["BTC/USDT", "ETHUSDT"], "rules": rules}
    text = book.export(tmp_path / "bot.py", **given).path.read_text()
    assert '        ["BTCUSDT", "ETHUSDT"],\n' in text
    assert "            fee_percent=0.05,\n" in text
    assert max(map(len, text.splitlines())) <= 100


def test_notifications_travel_with_a_script_by_reference(tmp_path, monkeypatch):
    monkeypatch.setenv("TELEGRAM_URL", f"json://127.0.0.1:9/{CANARY}")
    monkeypatch.setenv("BEAT_URL", f"http://127.0.0.1:9/{CANARY}")
    made = tn.notify("env:TELEGRAM_URL", kinds={"closed", "alarm"}, heartbeat="env:BEAT_URL")
    try:
        done = Notebook(IMPORT, PLAIN).export(tmp_path / "bot.py")
    finally:
        made.close(5)
    text = done.path.read_text()
    assert "It reads BEAT_URL, TELEGRAM_URL from the environment." in text
    assert '                "url": "env:TELEGRAM_URL",\n' in text
    assert '                "kinds": ["alarm", "closed"],\n' in text
    assert '                "heartbeat": "env:BEAT_URL",\n' in text
    assert "it notifies as this process does; set BEAT_URL, TELEGRAM_URL where it runs" in (
        " ".join(done.warnings)
    )
    assert CANARY not in text + repr(done)


def test_secrets_in_headers_and_proxies_are_in_the_script_by_name_only(tmp_path, monkeypatch):
    monkeypatch.setenv("PROXY_URL", CANARY)
    exchange = tn.ccxt_exchange(
        "kraken", httpProxy="env:PROXY_URL", headers={"X-Token": "env:HEADER_TOKEN"}
    )
    text = (
        Notebook(IMPORT, PLAIN)
        .export(tmp_path / "bot.py", exchange=exchange, candles=EXCHANGE)
        .path.read_text()
    )
    assert "It reads HEADER_TOKEN, PROXY_URL from the environment." in text
    assert CANARY not in text


def test_a_strategy_that_reads_another_symbol_is_proven_with_its_candles(fresh, tmp_path):
    book = Notebook(
        "import tradenb as tn",
        "ex = tn.testing.random_walk(seed=7, days=4, symbols=['BTCUSDT', 'ETHUSDT'])",
        "@tn.strategy('pair', every='15m', symbols='ETHUSDT')\n"
        "def pair(ctx):\n"
        "    eth = ctx.candles('1h', 6, symbol='ETHUSDT').close\n"
        "    if eth[-1] > eth.mean():\n"
        "        return tn.long(\n"
        "            take_profit=1.01 * ctx.price, stop_loss=0.99 * ctx.price, minutes=300\n"
        "        )\n",
    )
    book.export(tmp_path / "pair_bot.py", "pair", exchange=book.names["ex"])
    assert "symbols='ETHUSDT'" in (tmp_path / "pair_bot.py").read_text()


# Put together here, so that no scanner takes this file for one that holds a secret.
SECRETS = {
    "a private key": "-----BEGIN " + "PRIVATE KEY-----\nMIIEvQIBADANBg\n-----END PRIVATE KEY-----",
    "an encrypted one": "-----BEGIN ENCRYPTED " + "PRIVATE KEY-----\nMIIE\n-----END",
    "a url": "postgresql://trader:" + "S3cr3tPassw0rd@db:5432/prod",
    "a url without a user": "redis://:" + "hunter2hunter2@cache:6379/0",
    "telegram": "123456789:" + "AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw",
    "aws": "AKIA" + "IOSFODNN7EXAMPLE",
    "github": "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8",
    "slack": "xoxb-" + "123456789012-abcdefGHIJKL",
    "slack hook": "https://hooks.slack.com/" + "services/T0AAA/B0BBB/cCcDdD123",
    "discord": "https://discord.com/api/" + "webhooks/1234567890/aBcDeFgHiJkLmNoPqRsT-uV",
    "openai": "sk-" + "abcdefghij0123456789ABCD",
    "jwt": "eyJhbGciOiJIUzI1" + ".eyJzdWIiOiIxMjM0" + ".SflKxwRJSMeKKF2QT4",
}
PLACES = {
    "a constant": ("PLAIN = {value!r}", "bool(PLAIN)"),
    "a list": ("MANY = [1, {value!r}]", "len(MANY)"),
    "a computed one": ("HALF = str({value!r}).strip()", "bool(HALF)"),
    "a default": ("def held(x={value!r}):\n    return bool(x)", "held()"),
}


def holding(place, value):
    made, used = PLACES[place]
    return Notebook(
        IMPORT, made.format(value=value), PLAIN.replace("ctx.price >", f"ctx.price * {used} >")
    )


@pytest.mark.parametrize("kind", SECRETS)
def test_what_looks_like_a_secret_is_in_no_script(kind, tmp_path):
    place = list(PLACES)[len(kind) % len(PLACES)]
    with pytest.raises(tn.ExportError, match="others can read the script") as caught:
        holding(place, SECRETS[kind]).export(tmp_path / "bot.py")
    assert SECRETS[kind] not in str(caught.value)
    assert not (tmp_path / "bot.py").exists()


@pytest.mark.parametrize("name", ["hook", "auth_header", "SIGNATURE", "bot_key"])
def test_a_random_text_under_a_telling_name_is_a_secret(name, tmp_path):
    value = "9fQ2xLm7Zr4Tk1" + "Vb8Nw3Yc6Hd"
    book = Notebook(
        IMPORT, f"{name} = {value!r}", PLAIN.replace("ctx.price >", f"ctx.price * bool({name}) >")
    )
    with pytest.raises(tn.ExportError, match=f"`{name}`.*(key or a token|secret)"):
        book.export(tmp_path / "bot.py")


HARMLESS = (
    "https://api.binance.com/api/v3/klines?symbol=BTCUSDT",
    "env:TELEGRAM_URL",
    "BTCUSDT-1m-2024-03.csv",
    "12:30:00-16:00:00",
    "postgresql://localhost:5432/prod",
    "a sentence about tokens, 123 words long, with a key in it",
)


def test_ordinary_texts_are_no_secrets(tmp_path):
    book = Notebook(
        IMPORT,
        f"KEYS = {list(HARMLESS)!r}\nsort_key = 'volatility_of_2024_by_hours'\n"
        "# see https://a.b/c?d=e@f:1\n"
        "URLS = {'private': 'http://127.0.0.1:41234/sapi/v1', 'key': 'data/BTC-1m-2024.csv'}",
        PLAIN.replace("ctx.price >", "ctx.price * bool(KEYS and sort_key and URLS) >"),
    )
    assert book.export(tmp_path / "bot.py").trades > 0


SCALARS = ("df.close.std()", "np.int64(3)", "np.float32(0.5)", "df.close.iloc[0] > 0")


@pytest.mark.parametrize("scalar", SCALARS)
def test_a_scalar_of_numpy_is_written_as_the_number_that_it_is(scalar, tmp_path):
    book = Notebook(
        IMPORT + "\nimport numpy as np",
        "df = tn.candles('BTCUSDT', exchange=tn.testing.random_walk(seed=7, days=2))",
        f"LEVEL = {scalar}",
        PLAIN.replace("ctx.price >", "ctx.price + 0 * LEVEL >"),
    )
    text = book.export(tmp_path / "bot.py").path.read_text()
    assert f"\nLEVEL = {book.names['LEVEL'].item()!r}\n" in text
    assert "df = " not in text


@pytest.mark.parametrize("name", ["open", "print", "sum"])
def test_what_the_shell_puts_in_the_place_of_a_builtin_is_that_builtin(name, tmp_path):
    space = {}
    text = f"import builtins\ndef {name}(*given):\n    return builtins.{name}(*given)\n"
    exec(compile(text, "/lib/IPython/core/interactiveshell.py", "exec"), space)
    book = Notebook(IMPORT, PLAIN.replace("    if", f"    assert callable({name})\n    if", 1))
    book.names[name] = space[name]
    assert f"callable({name})" in book.export(tmp_path / "bot.py").path.read_text()


INNER = """
@tn.strategy("dip", every="1h")
def dip(ctx):
    level = 0.0

    def look(count):
        nonlocal level
        level = max(level, ctx.candles("15m", count).close.mean())

    look(8)
    look(12)
    if ctx.price < level:
        return tn.long(take_profit=1.02 * ctx.price, stop_loss=0.98 * ctx.price, minutes=90)
"""
OUTER = """
def make():
    level = 0.0

    @tn.strategy("outer", every="1h")
    def made(ctx):
        nonlocal level
        level = max(level, ctx.price)
        if ctx.price < level:
            return tn.long(take_profit=1.02 * ctx.price, stop_loss=0.98 * ctx.price, minutes=90)

    return made


dip = make()
"""


def test_a_local_of_the_strategy_may_be_changed_inside_it_and_what_outlives_a_call_not(tmp_path):
    done = Notebook(IMPORT, INNER).export(tmp_path / "bot.py")
    assert done.trades > 5
    with pytest.raises(tn.ExportError, match=r"ctx.state\[\"level\"\]"):
        Notebook(IMPORT, OUTER).export(tmp_path / "other.py")
