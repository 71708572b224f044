"""Faults 72 to 74 as far as exchanges go: a key is nowhere but in the client that needs it."""

from __future__ import annotations

import base64
import contextlib
import logging
import os
import pickle
import stat
import sys
import traceback
import types
from urllib.parse import quote

import pytest

import tradenb as tn
from tests.exchanges.wire import END, RULES, SHORT, exchange_on, loaded, served
from tests.sources import MINUTE, T0
from tradenb.exchanges.ccxt.credentials import check_secrets, read_secrets
from tradenb.exchanges.ccxt.portal import portal
from tradenb.secret_references import redacted

CANARY = "Kan+ari/q7Xw2Zp9=Lr4Tb8Nc6Vj3Hd5Gf1Ks0YmQa"
SECRET = "Geh&eim-u3Wz8Rk1Fp6Jt9Bx4Dn7Sq2Lv5Mh0Cg-Yo"
HIDDEN = {"apiKey": "env:CANARY_KEY", "secret": "env:CANARY_SECRET"}


def spellings():
    for item in (CANARY, SECRET):
        raw = item.encode()
        yield from (item, item[:8], item[-8:], quote(item, safe=""), raw.hex())
        yield base64.b64encode(raw).decode()


def assert_clean(text: str, where: str) -> None:
    found = [item for item in spellings() if item in text]
    assert not found, f"{where} holds {found}"


@pytest.fixture(autouse=True)
def keys(monkeypatch):
    monkeypatch.setenv("CANARY_KEY", CANARY)
    monkeypatch.setenv("CANARY_SECRET", SECRET)


def verbose(error: BaseException) -> str:
    """A traceback with the local names of every frame, as notebooks show it in verbose mode."""
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "".join(told.format(chain=True))


def reachable(error: BaseException | None) -> list[BaseException]:
    found = []
    while error is not None:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


@pytest.mark.parametrize("field", ["apiKey", "secret", "password", "privateKey"])
@pytest.mark.parametrize("value", [CANARY, b"bytes", 5, None, ""])
def test_a_key_that_is_given_as_it_is_is_refused_and_not_shown(field, value):
    with pytest.raises(tn.UsageError, match="must say where the secret is") as refused:
        tn.ccxt_exchange("binance", **{field: value})
    assert_clean(str(refused.value), "the message")


def test_keys_come_from_the_environment_or_the_keyring(monkeypatch):
    keyring = types.ModuleType("keyring")
    keyring.get_password = lambda service, user: {("ex/change", "me"): SECRET}.get((service, user))
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    options = {"apiKey": "env:CANARY_KEY", "secret": "keyring:ex/change/me", "timeout": 5}
    assert read_secrets(options) == {"apiKey": CANARY, "secret": SECRET}
    with pytest.raises(tn.UsageError, match="no password for user 'you' of service 'ex/change'"):
        read_secrets({"secret": "keyring:ex/change/you"})
    with pytest.raises(tn.UsageError, match="the environment variable 'NOT_THERE' is not set"):
        read_secrets({"apiKey": "env:NOT_THERE"})
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(tn.UsageError, match="needs the package keyring"):
        read_secrets({"secret": "keyring:ex/change/me"})


def test_verbose_and_a_key_do_not_go_together():
    check_secrets({"verbose": True})
    with pytest.raises(tn.UsageError, match="verbose=True prints secrets"):
        check_secrets({"verbose": True, **HIDDEN})


def test_fault_72_a_key_is_in_no_repr_no_pickle_and_no_name_of_the_object():
    with served() as server:
        ex = exchange_on(server, **HIDDEN)
        loaded(ex)
        assert ex._client._client.apiKey == CANARY  # it did get there
        assert_clean(repr(ex) + str(ex) + repr(vars(ex)), "a repr")
        assert_clean(repr(pickle.dumps(ex)), "a pickle")
        assert pickle.loads(pickle.dumps(ex)).fingerprint == ex.fingerprint
        assert_clean(ex.fingerprint, "the fingerprint")


@pytest.mark.parametrize("kind", ["unavailable", "html", "truncated", "banned", "silence", "reset"])
def test_fault_72_a_key_is_in_no_error_no_traceback_and_no_log(kind, caplog):
    with served() as server, caplog.at_level(logging.DEBUG):
        ex = exchange_on(server, **SHORT.get(kind, {}), **HIDDEN)
        loaded(ex, end=T0 + 10 * MINUTE)
        server.trouble(kind, path="")
        with pytest.raises(tn.TradenbError) as refused:
            loaded(ex, rules=tn.Rules(candle_retries=0))
    assert_clean(verbose(refused.value), "a verbose traceback")
    for error in reachable(refused.value):
        assert type(error).__module__.split(".")[0] == "tradenb", error
        assert_clean(repr(vars(error)) + str(error), "an error")
    assert_clean(caplog.text, "the log")


def test_fault_72_a_key_is_in_no_traceback_of_a_client_that_cannot_be_made():
    with served() as server:
        ex = exchange_on(server, rateLimit="soon", **{**HIDDEN, "enableRateLimit": True})
        with pytest.raises(tn.UsageError) as refused:
            loaded(ex)
    assert_clean(verbose(refused.value), "a verbose traceback")


def test_fault_72_a_key_is_in_nothing_that_a_run_writes_shows_or_prints(tmp_path, capsys, caplog):
    @tn.strategy("dip", every="5m")
    def dip(ctx):
        price = ctx.price
        return tn.long(take_profit=1.02 * price, stop_loss=0.98 * price, minutes=60)

    with served() as server, caplog.at_level(logging.DEBUG):
        ex = exchange_on(server, home=tmp_path, **HIDDEN)
        more = {"strategy": dip, "exchange": ex, "start": T0, "end": END, "rules": RULES}
        result = tn.backtest.run("BTCUSDT", **more)
        page = result.report(tmp_path / "report.html")
        run = tn.live.rehearse(
            "BTCUSDT",
            strategy=dip,
            exchange=ex,
            start=T0,
            end=T0 + 200 * MINUTE,
            speed=None,
            rules=RULES,
            home=tmp_path,
        )
        assert run.wait(240)
        run.dump(tmp_path / "live.md")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"report.html", "live.md", "BTCUSDT.json", "BTCUSDT.jsonl"} <= {f.name for f in files}
    for file in files:
        assert_clean(file.read_bytes().decode("latin-1"), str(file))
    shown = [repr(result), result._repr_html_(), repr(run), run._repr_html_() or ""]
    assert_clean("".join(shown) + str(page), "a notebook's output")
    assert_clean("".join(capsys.readouterr()) + caplog.text, "what is printed and logged")


@pytest.mark.parametrize("text", list(spellings()))
def test_fault_73_no_spelling_of_a_key_is_left_in_words(text):
    assert_clean(redacted(f"GET /x?signature={text}&y", [CANARY, SECRET]), "the words")


@pytest.fixture
def open_umask():
    """Let whatever is made be for everybody, unless it says otherwise."""
    before = os.umask(0)
    yield
    os.umask(before)


def test_fault_74_what_is_kept_is_private_under_any_umask(tmp_path, open_umask):
    with served() as server:
        ex = tn.ccxt_exchange("binance", home=tmp_path / "home", **server.options)
        tn.candles("BTCUSDT", exchange=ex, start=T0, end=END, progress=False)
    found = list((tmp_path / "home").rglob("*"))
    assert any(path.suffix == ".parquet" for path in found)
    modes = {(path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in found}
    assert modes == {(True, 0o700), (False, 0o600)}


ELSEWHERE = {
    "httpProxy": "http://me:{}@127.0.0.1:9",
    "headers": {"X-Auth-Token": "{}"},
    "urls": {"api": {"public": "https://api.example/v3?apikey={}"}},
    "options": {"relays": ["https://me:{}@relay.example"]},
}


@pytest.mark.parametrize("field", ELSEWHERE)
def test_a_secret_in_a_proxy_a_header_or_a_url_is_refused_in_plain_text_and_not_shown(field):
    def filled(value):
        match value:
            case str():
                return value.format(CANARY.replace("/", "-"))
            case dict():
                return {key: filled(item) for key, item in value.items()}
        return [filled(item) for item in value]

    with pytest.raises(tn.UsageError, match=rf"{field}.* must say where the secret is") as refused:
        tn.ccxt_exchange("binance", **{field: filled(ELSEWHERE[field])})
    assert "Kan+ari" not in str(refused.value)


def test_what_is_no_secret_in_a_proxy_a_header_or_a_url_is_taken():
    check_secrets(
        {
            "httpProxy": "http://127.0.0.1:3128",
            "headers": {"User-Agent": "me", "Accept": "text/html"},
            "urls": {"api": "https://[half", "www": "https://example.com/?lang=en"},
        }
    )


def test_fault_72_references_in_proxies_headers_and_urls_reach_the_client_and_nothing_else(
    monkeypatch, caplog
):
    monkeypatch.setenv("CANARY_URL", f"http://me:{quote(CANARY, safe='')}@127.0.0.1:9")
    hidden = {"httpProxy": "env:CANARY_URL", "headers": {"X-Token": "env:CANARY_SECRET"}}
    hidden["options"] = {"relays": ["env:CANARY_KEY", 5]}
    with served() as server, caplog.at_level(logging.DEBUG):
        ex = exchange_on(server, **hidden)
        with pytest.raises(tn.ExchangeError) as refused:
            loaded(ex, rules=tn.Rules(candle_retries=0))
        client = ex._client._client
        assert client.headers["X-Token"] == SECRET
        assert client.options["relays"] == [CANARY, 5]
        assert quote(CANARY, safe="") in client.httpProxy
    assert_clean(verbose(refused.value), "a verbose traceback")
    assert_clean(repr(ex) + repr(vars(ex)) + repr(pickle.dumps(ex)), "a repr or a pickle")
    assert_clean(caplog.text, "the log")
    assert pickle.loads(pickle.dumps(ex)).fingerprint == ex.fingerprint


def test_verbose_and_a_reference_in_a_header_do_not_go_together():
    with pytest.raises(tn.UsageError, match=r"remove verbose or headers\['X-Token'\]"):
        check_secrets({"verbose": True, "headers": {"X-Token": "env:CANARY_SECRET"}})


def test_redaction_leaves_the_ordinary_words_of_an_address():
    text = redacted("GET https://api.example.com/v3", ["https://me:s3cret-pass@api.example.org/x"])
    assert text == "GET https://api.example.com/v3"
    assert redacted("Basic bWU6czNjcmV0LXBhc3M=", ["https://me:s3cret-pass@a.org"]) == "Basic ***"
    assert redacted("proxy://[half", ["proxy://[half"]) == "***"


def test_fault_72_what_ccxt_logs_of_signed_requests_is_without_the_key(caplog):
    with served() as server, caplog.at_level(logging.DEBUG):
        ex = exchange_on(server, **HIDDEN)
        loaded(ex)

        async def signed():
            with contextlib.suppress(Exception):  # the server has no signed requests
                await ex._client._client.fetch_balance()

        portal.call(signed)
        assert "X-MBX-APIKEY" in caplog.text
    assert_clean(caplog.text, "the log")
