"""How an `ExchangeServer` sends a response: whole, damaged, or not at all."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from aiohttp import web

from tradenb.testing.server.server_troubles import ServerTrouble, TroubleKind
from tradenb.testing.venue.venue_faults import Form, VenueReply

_HUGE_MB: Final = 70
_MEGABYTE: Final = b" " * (1 << 20)
_PAGE: Final = "<!DOCTYPE html><html><head><title>Just a moment...</title></head></html>"

_DAMAGE: Final[dict[Form, TroubleKind]] = {
    "silence": "silence",
    "reset": "reset",
    "half_body": "half_close",
    "cut_json": "truncated",
}


def reply_response(reply: VenueReply, body: bytes) -> tuple[web.Response, list[ServerTrouble]]:
    """Return the response that a venue's reply is, and what damages it on the way."""
    if reply.form == "html":
        page = web.Response(status=reply.status, text=_PAGE, content_type="text/html")
        return page, []
    if reply.form in ("empty", "braces"):
        body = b"" if reply.form == "empty" else b"{}"
    headers = {} if reply.retry_after is None else {"Retry-After": str(reply.retry_after)}
    response = web.Response(
        body=body, status=reply.status, headers=headers, content_type="application/json"
    )
    damage = _DAMAGE.get(reply.form)
    return response, [] if damage is None else [ServerTrouble(damage)]


def error_response(active: list[ServerTrouble], *, over_limit: bool) -> web.Response | None:
    """Return the error that the active troubles give; None if the request is answered."""
    kinds = {item.kind: item for item in active}
    if "banned" in kinds:
        return _too_many(418, kinds["banned"].seconds, "Way too much weight used; IP banned.")
    if "rate_limit" in kinds or over_limit:
        seconds = kinds["rate_limit"].seconds if "rate_limit" in kinds else 60
        return _too_many(429, seconds, "Too much request weight used.")
    if "unavailable" in kinds:
        return web.Response(status=kinds["unavailable"].status, text="upstream error")
    if "html" in kinds:
        return web.Response(status=kinds["html"].status, text=_PAGE, content_type="text/html")
    return web.Response() if "empty" in kinds else None


def _too_many(status: int, seconds: float, words: str) -> web.Response:
    headers = {"Retry-After": f"{seconds:.0f}"}
    return web.json_response({"code": -1003, "msg": words}, status=status, headers=headers)


async def send(
    request: web.Request, response: web.Response, active: list[ServerTrouble]
) -> web.StreamResponse:
    """Send a response, damaged by the active troubles."""
    kinds = {item.kind: item for item in active}
    if "silence" in kinds:
        await asyncio.Event().wait()
    if "reset" in kinds:
        _hang_up(request)
        return response
    if "huge" in kinds:
        return await _send_huge(request)
    body = response.body if isinstance(response.body, bytes) else b""
    if "truncated" in kinds:
        return web.Response(body=body[: len(body) // 2], content_type="application/json")
    if "half_close" not in kinds and "drip" not in kinds:
        return response
    slow = web.StreamResponse(status=response.status, headers={"Content-Type": "application/json"})
    slow.content_length = len(body)
    await slow.prepare(request)
    if "half_close" in kinds:
        await slow.write(body[: len(body) // 2])
        _hang_up(request)
        return slow
    with contextlib.suppress(ConnectionError):  # the client has given up
        for place in range(len(body)):
            await slow.write(body[place : place + 1])
            await asyncio.sleep(kinds["drip"].seconds)
    return slow


async def _send_huge(request: web.Request) -> web.StreamResponse:
    huge = web.StreamResponse(headers={"Content-Type": "application/json"})
    await huge.prepare(request)
    with contextlib.suppress(ConnectionError):  # the client has given up
        for _ in range(_HUGE_MB):
            await huge.write(_MEGABYTE)
        await huge.write(b"[]")
    return huge


def _hang_up(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
