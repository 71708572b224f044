"""Responses of a bounded size: one that is too large must not hold up the other exchanges.

All exchanges of a process share the loop of the portal. ccxt takes a response as a whole and reads
its JSON at once, which for 70 MB is seconds in which no other exchange gets an answer.
"""

from __future__ import annotations

from typing import Any

import aiohttp

from tradenb.exchanges.ccxt.byte_limits import byte_limit


class ResponseTooLarge(aiohttp.ClientPayloadError):
    """A response has more bytes than any answer to the request."""


class BoundedResponse(aiohttp.ClientResponse):
    """A response that is given up once it is too large; compressed ones count unpacked."""

    async def read(self) -> bytes:
        """Read the whole response.

        Raises
        ------
        ResponseTooLarge
            When it has more bytes than `byte_limit`.
        """
        if self._body is None:
            try:
                self._body = await self._read_within(byte_limit.get())
            except BaseException:
                self.close()
                raise
        return self._body

    async def _read_within(self, limit: int) -> bytes:
        parts: list[bytes] = []
        size = self.content_length or 0
        if size <= limit:
            size = 0
            async for part in self.content.iter_any():
                size += len(part)
                parts.append(part)
                if size > limit:
                    break
        if size > limit:
            raise ResponseTooLarge(
                f"the response has more than {limit >> 20} MB and was given up; check the address, "
                "and any proxy in between"
            )
        return b"".join(parts)


class Redirected(aiohttp.ClientError):
    """A response leads elsewhere, where the request and its key must not go."""


def bounded_session(client: Any, *, redirects: bool = True) -> aiohttp.ClientSession:
    """Return a session for an exchange of ccxt, in place and on the connector of its own."""
    client.session.detach()
    tracing = aiohttp.TraceConfig()
    if not redirects:
        tracing.on_request_redirect.append(_refuse)
    return aiohttp.ClientSession(
        connector=client.tcp_connector,
        response_class=BoundedResponse,
        trust_env=client.aiohttp_trust_env,
        trace_configs=[] if redirects else [tracing],
    )


async def _refuse(_session: object, _context: object, told: Any) -> None:
    raise Redirected(f"the response of {told.method} leads elsewhere and was not followed")
