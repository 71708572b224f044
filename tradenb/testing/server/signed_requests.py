"""Whether a request is signed as Binance wants it: key, HMAC, timestamp and window."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final, NamedTuple
from urllib.parse import parse_qsl

from tradenb.testing.venue.spot_venue import USUAL_WINDOW
from tradenb.testing.venue.venue_records import VenueRefusal

KEY_HEADER: Final = "X-MBX-APIKEY"


class Credentials(NamedTuple):
    """Key and secret of the one account of a server."""

    key: str
    secret: str

    def sign(self, text: str) -> str:
        """Return the signature of a query and a body."""
        return hmac.new(self.secret.encode(), text.encode(), hashlib.sha256).hexdigest()


class Signed(NamedTuple):
    """The parameters of a request, and when it was sent."""

    params: dict[str, str]
    sent_at: int
    window: int


def read_signed(credentials: Credentials, key: str | None, query: str, body: str) -> Signed:
    """Return what a signed request says.

    Parameters
    ----------
    credentials : Credentials
    key : str or None
        The header `KEY_HEADER`.
    query, body : str
        As they came; the signature is the last parameter of either.

    Raises
    ------
    VenueRefusal
        When the key, the signature or the timestamp is missing or wrong.
    """
    if not key:
        raise VenueRefusal(-2014, "API-key format invalid.")
    if not hmac.compare_digest(key.encode(), credentials.key.encode()):
        raise VenueRefusal(-2015, "Invalid API-key, IP, or permissions for action.")
    params = dict(parse_qsl(query, keep_blank_values=True))
    params.update(parse_qsl(body, keep_blank_values=True))
    signature = params.pop("signature", "")
    if not signature:
        raise _missing("signature")
    whole = _unsigned(query) + _unsigned(body)
    if not hmac.compare_digest(signature.encode(), credentials.sign(whole).encode()):
        raise VenueRefusal(-1022, "Signature for this request is not valid.")
    sent_at = _number(params.pop("timestamp", ""), "timestamp")
    window = _number(params.pop("recvWindow", str(USUAL_WINDOW)), "recvWindow")
    return Signed(params, sent_at, window)


def _unsigned(text: str) -> str:
    return "&".join(part for part in text.split("&") if not part.startswith("signature="))


def _number(text: str, name: str) -> int:
    try:
        return int(float(text))
    except ValueError:
        raise _missing(name) from None


def _missing(name: str) -> VenueRefusal:
    text = f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
    return VenueRefusal(-1102, text)
