"""`OrderClient`: requests about orders through ccxt, each sent once or not at all.

ccxt signs and sends; what a request ended with is read from the wire. Its exceptions and results
alone would lie: half a body is an `ExchangeError` as a refusal is, and an empty response, a page of
HTML and `{}` give an order without an id.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any, Final

from tradenb.errors import UsageError
from tradenb.exchanges.ccxt.byte_limits import CANDLES_BYTES, byte_limit
from tradenb.exchanges.ccxt.ccxt_client import ccxt_class
from tradenb.exchanges.ccxt.credentials import check_secrets, read_secrets, with_secrets
from tradenb.exchanges.exchange_errors import describe_error, retry_after_s
from tradenb.exchanges.orders.order_reply import OrderReply
from tradenb.secret_references import redact_filter, redacted

CALL_S: Final = 10.0
LEAST_LIFE_MS: Final = 500
"""A request that could die sooner than so after it is signed is not sent."""
READ_LIFE_MS: Final = 5_000
READ_SHARE: Final = 0.7
"""Of the requests that the exchange allows, reads use so much; the rest is for orders."""
_BANNED: Final = 418
_UNTIMELY: Final = "-1021"
"""The exchange's word for a request whose time is not its own."""
_NOT_FOR_ORDERS: Final = frozenset(
    {"options", "verbose", "enableRateLimit", "maxRetriesOnFailure", "returnResponseHeaders"}
)
# No byte of a request left: no address, or nobody listens there, or its certificate is refused.
_NO_CONNECTION: Final = "ClientConnectorError"

_reply: Final[ContextVar[OrderReply]] = ContextVar("order_reply")


class _TooLate(Exception):
    """A request would die before it arrives."""


class OrderClient:
    """The requests of one account.

    Parameters
    ----------
    name : str
        Exchange of ccxt.
    options : mapping
        As for `ccxt_exchange`, secrets by reference. What would change how orders are sent, such as
        ccxt's `options` and methods of your own, is left out.
    now : callable
        Time of the exchange, ms UTC; at most what it is there.
    seconds : float, default 10
        A request without a response ends after so long.

    Attributes
    ----------
    was_untimely : bool
        The exchange has refused a request for its time, since somebody set this to False.
    """

    def __init__(
        self,
        name: str,
        options: Mapping[str, Any],
        *,
        now: Callable[[], int],
        seconds: float = CALL_S,
    ) -> None:
        check_secrets(options)
        self.name = name
        self.now = now
        self._options = {
            key: value
            for key, value in options.items()
            if key not in _NOT_FOR_ORDERS and not callable(value)
        }
        self._seconds = seconds
        self._secrets: tuple[str, ...] = ()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._clients: tuple[Any, ...] = ()
        self._before_fork: list[Any] = []
        self._quiet_until = 0
        self._is_banned = False
        self.was_untimely = False

    def __repr__(self) -> str:
        return f"<OrderClient {self.name}>"

    @property
    def quiet_until(self) -> int:
        """Until when the exchange wants no requests, ms UTC."""
        return self._quiet_until

    async def order(
        self, call: str, params: Mapping[str, Any], *, dies_at: int | None = None, urgent: bool
    ) -> OrderReply:
        """Send a request that changes orders, once.

        If the caller is cancelled meanwhile, nothing is known of the order: it is in doubt.

        Parameters
        ----------
        call : str
            Method of ccxt for it, such as "private_post_order".
        params : mapping
            As they go over the wire.
        dies_at : int, optional
            Exchange time after which it is not accepted.
        urgent : bool
            It reduces risk, so it does not wait for a rate limit to end; only a ban stops it.
        """
        return await self._send(call, params, dies_at=dies_at, urgent=urgent, reads=False)

    async def read(
        self,
        call: str,
        params: Mapping[str, Any],
        *,
        urgent: bool = False,
        seconds: float | None = None,
    ) -> OrderReply:
        """Send a request that changes nothing; it may end sooner than others without a response."""
        return await self._send(
            call, params, dies_at=None, urgent=urgent, reads=True, seconds=seconds
        )

    async def server_time(self) -> int | None:
        """Return the time that the exchange says, ms UTC; None: it does not."""
        reply = await self.read("public_get_time", {})
        told = reply.answer.get("serverTime") if isinstance(reply.answer, dict) else None
        return told if type(told) is int else None

    async def close(self) -> None:
        """Close the sessions; the next request opens others."""
        if self._loop is asyncio.get_running_loop():
            ended, self._clients, self._loop = self._clients, (), None
            await asyncio.gather(*(client.close() for client in ended))

    async def _send(
        self,
        call: str,
        params: Mapping[str, Any],
        *,
        dies_at: int | None,
        urgent: bool,
        reads: bool,
        seconds: float | None = None,
    ) -> OrderReply:
        reply = OrderReply(dies_at=dies_at, clean=self._clean)
        left = self._quiet_until - self.now()
        if left > 0 and (self._is_banned or not urgent):
            reply.error = f"not sent, {self.name} wants no requests for another {left // 1000} s"
            return reply
        client = self._client(reads=reads)
        token = _reply.set(reply)
        byte_limit.set(CANDLES_BYTES)
        try:
            async with asyncio.timeout(min(seconds or self._seconds, self._seconds)):
                await getattr(client, call)(dict(params))
        except _TooLate as error:
            reply.error = str(error)
        except Exception as error:  # noqa: BLE001 - ccxt raises anything for a broken response
            reply.error = describe_error(error)
            if _has_no_connection(error):
                reply.left = False
        finally:
            _reply.reset(token)
        self._note_limit(reply)
        self.was_untimely = self.was_untimely or reply.ended.code == _UNTIMELY
        return reply

    def _clean(self, text: str) -> str:
        return redacted(text, self._secrets)

    def _note_limit(self, reply: OrderReply) -> None:
        now = self.now()
        if now >= self._quiet_until:
            self._is_banned = False
        if reply.is_limited:
            seconds = retry_after_s(reply.body or "", reply.headers, now)
            self._quiet_until = max(self._quiet_until, now + round(seconds * 1000))
            self._is_banned = self._is_banned or reply.status == _BANNED

    def _client(self, *, reads: bool) -> Any:
        """Return ccxt's object with a session on this loop."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            # Kept, because after a fork their sockets are the parent's too.
            self._before_fork += self._clients
            self._clients = self._new(1.0), self._new(READ_SHARE)
            self._loop = loop
        client = self._clients[reads]
        _open(client)
        return client

    def _new(self, share: float) -> Any:
        """Return an object of ccxt that uses a share of the requests that are allowed."""
        # No local name holds the secrets, so that no traceback shows them.
        self._secrets = tuple(read_secrets(self._options).values())
        kind = ccxt_class(self.name)
        try:
            rate = float(self._options.get("rateLimit") or kind().rateLimit) / share
            made = kind(
                with_secrets(self._options, read_secrets(self._options))
                | {"enableRateLimit": True, "rateLimit": rate}
            )
        except Exception as error:  # noqa: BLE001 - whatever ccxt raises for an option
            words = redacted(describe_error(error), self._secrets)
        else:
            if self._options.get("sandbox") and made.urls["api"] == kind().urls["api"]:
                raise UsageError(f"this version of ccxt has no testnet of {self.name}; update ccxt")
            made.logger.addFilter(redact_filter)
            made.options["maxRetriesOnFailure"] = 0
            made.timeout_on_exit = 0
            made.on_rest_response = _noted
            made.fetch = _watched(made.fetch)
            made.sign = self._dated(made.sign)
            return made
        raise UsageError(f"ccxt rejects these options for {self.name}: {words}")

    def _dated(self, sign: Callable[..., Any]) -> Callable[..., Any]:
        """Return `sign` with the time of the exchange and the death of the request in it.

        ccxt signs after its own rate limit, so time may have passed since it was called.
        """

        # `others` are headers and body, which ccxt 4.5.88 names and 4.5.90 does not.
        def signed(
            path: str, api: Any, method: str, params: Mapping[str, Any], *others: Any
        ) -> Any:
            if "public" in api:
                return sign(path, api, method, params, *others)
            reply, at = _reply.get(), self.now()
            life = READ_LIFE_MS if reply.dies_at is None else reply.dies_at - at
            if life < LEAST_LIFE_MS:
                raise _TooLate(
                    f"it waited too long on this machine: of its time {life} ms are left, and "
                    f"{LEAST_LIFE_MS} are needed; see what keeps the machine busy"
                )
            dated = {**params, "timestamp": at, "recvWindow": life}
            return sign(path, api, method, dated, *others)

        return signed


def _open(client: Any) -> None:
    """Give a client of ccxt a session with a bound that follows no redirect, if it has none."""
    client.open()
    # Here, because it imports aiohttp.
    from tradenb.exchanges.ccxt.bounded_response import bounded_session

    if getattr(client, "bounded", None) is not client.session:
        client.session = client.bounded = bounded_session(client, redirects=False)


def _watched(fetch: Callable[..., Any]) -> Callable[..., Any]:
    """Return `fetch` so that the moment is noted from which on bytes may leave."""

    async def watched(*args: Any, **more: Any) -> Any:
        _reply.get().left = True
        return await fetch(*args, **more)

    return watched


def _noted(
    code: int,
    _text: str,
    _url: str,
    _method: str,
    headers: Mapping[str, str],
    body: str,
    *_request: object,
) -> str:
    """Note a whole response; ccxt's hook for every response."""
    reply = _reply.get()
    reply.status, reply.headers, reply.body = code, dict(headers), body
    return body.strip()


def _has_no_connection(error: BaseException | None) -> bool:
    """Tell whether a request ended before there was a connection for it."""
    while error is not None:
        if _NO_CONNECTION in {kind.__name__ for kind in type(error).__mro__}:
            return True
        error = error.__cause__
    return False
