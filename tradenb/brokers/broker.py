"""`Broker`: whose orders a live run sends, where, and with which money."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final, Literal, get_args
from urllib.parse import urlsplit

from tradenb.call_errors import explained
from tradenb.core.candles.arrays import Candles
from tradenb.core.money.account import Account
from tradenb.core.orders.gate import PAPER, Arm, sends_orders
from tradenb.core.orders.venue import BINANCE_SPOT, Venue
from tradenb.engine.ports import Clock
from tradenb.errors import UsageError, shown, unknown
from tradenb.exchanges.ccxt.credentials import check_secrets, read_secrets

Mode = Literal["paper", "dry", "sandbox", "live"]
MODES: Final[tuple[Mode, ...]] = get_args(Mode)
VENUES: Final[Mapping[str, Venue]] = {"binance": BINANCE_SPOT}
"""Exchanges that orders can be sent to, by ccxt's name; spot."""
_KEYS: Final = ("apiKey", "secret")
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True)
class Broker:
    """The way of a live run to an account; made by `tn.broker`.

    Attributes
    ----------
    exchange : str
    mode : {"paper", "dry", "sandbox", "live"}
    account : Account
        How large entries are; on an exchange never more than it is armed for.
    id : str
        The account in documents and permissions: "paper", or mode, exchange and eight digits that
        stand for the key.
    options : mapping
        Of ccxt, secrets by reference.
    connect : callable, optional
        Makes the way to a symbol in place of ccxt, from the symbol and a clock; for rehearsals.
    permission : Arm, optional
        What a rehearsal is armed with; it spends no money.

    Examples
    --------
    >>> import tradenb as tn
    >>> paper = tn.broker("binance", account=tn.Account(cash=500, percent=20))
    >>> paper
    Broker(exchange='binance', mode='paper', account=Account(cash=500.0, percent=20.0), id='paper')
    >>> paper.sends_orders, paper.account.cash
    (False, 500.0)
    """

    exchange: str
    mode: Mode
    account: Account
    id: str
    options: Mapping[str, Any] = field(repr=False, default_factory=dict)
    connect: Callable[[str, Clock], Any] | None = field(repr=False, compare=False, default=None)
    permission: Arm | None = field(repr=False, compare=False, default=None)

    @property
    def live_account(self) -> Account:
        """The account of its runs: money of an exchange is never one with that of paper runs."""
        if self.mode == "paper":
            return self.account
        return self.account.model_copy(update={"name": self.id.replace(":", "-")})

    @property
    def sends_orders(self) -> bool:
        """Whether its orders reach an exchange; else candles fill them."""
        return sends_orders(self.id)

    @property
    def reads_account(self) -> bool:
        """Whether it has a key and looks at an account."""
        return self.mode != "paper"

    @property
    def venue(self) -> Venue:
        """What the exchange can do."""
        return VENUES[self.exchange]

    def for_live(self) -> Broker:
        """Return what a live run is given."""
        return self

    def for_rehearsal(self, symbol: str, strategy: str, candles: Candles) -> Broker:
        """Return what a rehearsal over candles is given.

        Raises
        ------
        UsageError
            When its orders would reach an exchange.
        """
        del symbol, strategy, candles
        if self.reads_account:
            raise UsageError(
                f"a rehearsal asks no exchange, and broker has mode {self.mode!r}; "
                "pass broker=tn.testing.broker(account=...)"
            )
        return self


@explained("tn.broker")
def broker(
    exchange: str,
    *,
    account: Account,
    mode: Mode = "paper",
    **options: Any,
) -> Broker:
    """Say where the orders of a live run go; nothing is sent before the account is armed.

    Parameters
    ----------
    exchange : {"binance"}
        Spot; long positions only.
    account : Account
        How large entries are. With real orders `cash` is what the run may use of the balance.
    mode : {"paper", "dry", "sandbox", "live"}, default "paper"
        paper: candles fill, nothing is sent. dry: candles fill, and the exchange checks each order
        without placing it; needs the key, and no arming. sandbox: the testnet of the exchange, or
        with `urls` a server on this machine. live: real money.
    **options
        Of ccxt, such as ``apiKey="env:BINANCE_KEY"`` and ``secret="env:BINANCE_SECRET"``; secrets
        are references, never text.

    Returns
    -------
    Broker
        For `tn.live.background(..., broker=)`.

    Raises
    ------
    UsageError
        When the exchange or the mode is not known, a key is missing, the account has leverage, or a
        live account would be reached by other addresses than its own.

    Examples
    --------
    >>> import tradenb as tn
    >>> paper = tn.broker("binance", account=tn.Account(cash=500, percent=20))
    >>> paper.mode, paper.id
    ('paper', 'paper')
    """
    if exchange not in VENUES:
        raise unknown("exchange for orders", exchange, tuple(VENUES))
    if mode not in MODES:
        raise unknown("mode of a broker", mode, MODES)
    if not isinstance(account, Account):
        raise UsageError(f"account must be a tn.Account, was {shown(account)}")
    if account.leverage != 1 and mode != "paper":
        raise UsageError(
            f"account has leverage {account.leverage:g}, and spot has none; pass leverage=1, or "
            "mode='paper'"
        )
    if mode == "paper":
        return Broker(exchange, mode, account, PAPER)
    missing = [name for name in _KEYS if name not in options]
    if missing:
        raise UsageError(
            f"mode {mode!r} needs {' and '.join(missing)}; pass {missing[0]}='env:NAME' with the "
            "name of the environment variable that holds it"
        )
    options.pop("cache", None)  # of candles; `ExchangeServer.options` has it
    check_secrets(options)
    local = _is_local(options.get("urls"))
    if mode == "live" and "urls" in options:
        raise UsageError("mode 'live' takes no urls; use mode='sandbox' to send orders elsewhere")
    if mode in ("dry", "sandbox") and not local:
        if "urls" in options:
            there = "the testnet" if mode == "sandbox" else "the exchange"
            raise UsageError(
                f"urls must all be addresses of this machine; leave urls out for {there}"
            )
        if mode == "sandbox":
            options["sandbox"] = True
    id = f"{mode}:{'loopback' if local else exchange}:{key_digits(options)}"
    return Broker(exchange, mode, account, id, options)


def key_digits(options: Mapping[str, Any]) -> str:
    """Return eight digits that stand for the key that options of ccxt refer to."""
    return blake2b(read_secrets(options)["apiKey"].encode(), digest_size=4).hexdigest()


def _is_local(urls: Any) -> bool:
    """Tell whether every address in ccxt's urls is one of this machine."""
    found = [*_addresses(urls)]
    return bool(found) and all(urlsplit(each).hostname in _LOOPBACK for each in found)


def _addresses(urls: Any) -> list[str]:
    if isinstance(urls, str):
        return [urls] if "://" in urls else []
    if isinstance(urls, Mapping):
        return [each for value in urls.values() for each in _addresses(value)]
    return []
