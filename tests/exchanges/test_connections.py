"""Connections that cannot be trusted, and responses that are too large: said, bounded, survived."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import socket
import ssl
import threading

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import tradenb as tn
from tests.exchanges.wire import END, exchange_on, loaded, served
from tests.sources import MINUTE, T0
from tradenb.exchanges.ccxt import market_loading
from tradenb.exchanges.ccxt.bounded_response import BoundedResponse, ResponseTooLarge
from tradenb.exchanges.ccxt.byte_limits import byte_limit
from tradenb.exchanges.ccxt.portal import portal
from tradenb.exchanges.exchange_errors import translate_error

NO_RETRY = tn.Rules(candle_retries=0)


def own_certificate(folder):
    """Write a certificate that nobody vouches for, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def tls_port(tmp_path):
    """A port on which TLS is spoken with a certificate that nobody vouches for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own_certificate(tmp_path))
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            try:
                context.wrap_socket(plain, server_side=True).close()
            except OSError:
                plain.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(60)


def urls(port):
    return {"api": dict.fromkeys(("public", "private", "web", "sapi"), f"https://127.0.0.1:{port}")}


def test_a_certificate_that_is_refused_is_said_to_be_one(tls_port):
    with served() as server:
        ex = exchange_on(server, urls=urls(tls_port))
        with pytest.raises(tn.ExchangeError) as refused:
            loaded(ex, rules=NO_RETRY)
    words = str(refused.value)
    assert (
        "the certificate of the exchange was refused (self-signed certificate); check the clock"
        in (words.replace("self signed", "self-signed"))
    )
    assert "check the network" not in words
    assert refused.value.retryable


def test_an_address_without_tls_is_said_to_be_one():
    with served() as server:
        port = int(server.url.rpartition(":")[2])
        ex = exchange_on(server, urls=urls(port))
        with pytest.raises(tn.ExchangeError, match="the TLS handshake failed; check the address"):
            loaded(ex, rules=NO_RETRY)


def test_a_certificate_error_is_found_behind_what_ccxt_raises_and_without_a_reason():
    class ExchangeNotAvailable(Exception):
        pass

    class SSLCertVerificationError(Exception):
        pass

    error = ExchangeNotAvailable("binance GET https://x")
    error.__cause__ = SSLCertVerificationError()
    found = translate_error(error, what="binance: candles", headers={}, now_ms=0)
    assert str(found).startswith("binance: candles: the certificate of the exchange was refused; ")


def test_a_response_of_seventy_megabytes_is_given_up_and_the_next_one_is_taken():
    with served() as server:
        ex = exchange_on(server)
        loaded(ex, end=T0 + 10 * MINUTE)
        server.trouble("huge", times=1, path="klines")
        with pytest.raises(tn.ExchangeError) as refused:
            loaded(ex, rules=NO_RETRY)
        assert "the response has more than 8 MB and was given up; check the address" in str(
            refused.value
        )
        assert refused.value.retryable
        assert len(loaded(ex).candles) == (END - T0) // MINUTE


def test_a_list_of_markets_of_seventy_megabytes_is_given_up_too():
    with served() as server:
        server.trouble("huge", path="exchangeInfo")
        with pytest.raises(
            tn.ExchangeError, match="list of markets: the response has more than 24"
        ):
            loaded(exchange_on(server), rules=NO_RETRY)


def test_while_a_list_of_markets_is_read_other_exchanges_get_their_answers(monkeypatch):
    """The list is not done with before the portal has answered somebody else."""
    answered, read = threading.Event(), market_loading.markets_by_symbol

    async def answer():
        answered.set()

    def slow(client):
        portal.submit(answer)
        assert answered.wait(240)
        return read(client)

    monkeypatch.setattr(market_loading, "markets_by_symbol", slow)
    with served() as server:
        assert len(loaded(exchange_on(server)).candles) == (END - T0) // MINUTE
    assert answered.is_set()


class Content:
    """The parts of a body, and how many of them were asked for."""

    def __init__(self, parts):
        self.parts = parts
        self.read = 0

    async def iter_any(self):
        for part in self.parts:
            self.read += 1
            yield part


class Response(BoundedResponse):
    """A response without a connection."""

    def __init__(self, content, length):
        self.content = content
        self._length = length
        self.closed_early = False

    content_length = property(lambda self: self._length)

    def close(self):
        self.closed_early = True

    def __del__(self, *rest):
        return


@pytest.mark.parametrize(("length", "read"), [(None, 3), (5, 3), (1_000, 0)])
def test_no_more_is_read_than_the_limit_and_one_part(length, read):
    content = Content([b"12345"] * 100)
    response = Response(content, length)
    byte_limit.set(10)
    with pytest.raises(ResponseTooLarge):
        asyncio.run(response.read())
    assert content.read == read
    assert response.closed_early


def test_what_is_within_the_limit_is_read_once():
    content = Content([b"12345"] * 2)
    response = Response(content, None)
    byte_limit.set(10)
    assert asyncio.run(response.read()) == asyncio.run(response.read()) == b"1234512345"
    assert content.read == 2
    assert not response.closed_early
    assert issubclass(ResponseTooLarge, aiohttp.ClientError)
