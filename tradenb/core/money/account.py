"""`Account`: with how much money a run begins, and how much of it goes into a position."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from tradenb.core.model_errors import problems_of
from tradenb.core.rules import Rules
from tradenb.core.symbol import canonical
from tradenb.core.timeframe import to_ms
from tradenb.core.values import finite
from tradenb.errors import UsageError, shown, unknown

_SIZES: Final = ("quote", "percent", "risk")
SHARED: Final = ("name", "cash", "leverage", "funding_percent", "funding")
"""What all that share an account agree on."""
KEPT: Final = ("name", "cash", "leverage", "funding_percent")
"""What a document of a live run keeps of its account."""
Charges = tuple[tuple[int, float], ...]
"""Times (ms UTC) and percents of funding, in order of time."""


class Account(BaseModel, frozen=True):
    """The money of a run; frozen. The same in a backtest, a rehearsal and a paper run.

    Exactly one of `quote`, `percent` and `risk` says how large an entry is. A candidate with a
    `size` says it itself.

    Parameters
    ----------
    cash : float
        Money at the beginning, quote currency, > 0.
    quote : float, optional
        Cost of an entry, quote currency, > 0.
    percent : float, optional
        Cost of an entry, percent of the equity, > 0; cut to what is free.
    risk : float, optional
        Percent of the equity that is lost at the stop, before costs, > 0; cut to what is free.
    leverage : float, default 1
        How many times an entry's cost may be what it binds, >= 1. It bounds entries: what is open
        is more of the equity once that falls (figure `leverage_max`), and nothing is closed for
        it. No liquidation is modelled, so that leverage x `Rules.max_stop_loss_percent` must stay
        below 100.
    max_percent : float, optional
        Most that an entry may cost, percent of the equity, > 0.
    min_quote : float, default 0
        Least that an entry may cost, quote currency.
    funding_percent : float, default 0
        Paid on the value of what is open at 00:00, 08:00 and 16:00 UTC, percent; shorts receive it.
    funding : mapping of str to Series, optional
        Historic funding by symbol: percent by time (UTC where no zone is given), instead of
        `funding_percent`. Not for live runs.
    name : str, default "paper"
        Runs that name the same account share its money.

    Raises
    ------
    UsageError
        When a value is out of its range, or not exactly one size is given; all problems at once.

    Examples
    --------
    >>> Account(cash=10_000, risk=1, leverage=3)
    Account(cash=10000.0, risk=1.0, leverage=3.0)
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, strict=True)

    cash: float = Field(gt=0)
    quote: float | None = Field(default=None, gt=0)
    percent: float | None = Field(default=None, gt=0)
    risk: float | None = Field(default=None, gt=0)
    leverage: float = Field(default=1.0, ge=1)
    max_percent: float | None = Field(default=None, gt=0)
    min_quote: float = Field(default=0.0, ge=0)
    funding_percent: float = Field(default=0.0, gt=-100, lt=100)
    funding: Mapping[str, Charges] | None = None
    name: str = Field(default="paper", pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")

    if TYPE_CHECKING:  # pragma: no cover - what may be given is wider than what is kept

        def __init__(
            self,
            *,
            cash: float,
            quote: float | None = None,
            percent: float | None = None,
            risk: float | None = None,
            leverage: float = 1.0,
            max_percent: float | None = None,
            min_quote: float = 0.0,
            funding_percent: float = 0.0,
            funding: Mapping[str, Any] | None = None,
            name: str = "paper",
        ) -> None: ...

    else:

        def __init__(self, *unnamed: object, **values: object) -> None:
            fields = type(self).model_fields
            if unnamed:
                listed = ", ".join(fields)
                raise UsageError(
                    f"Account: pass {shown(unnamed[0])} by name; an account has {listed}"
                )
            try:
                super().__init__(**values)
            except ValidationError as error:
                raise UsageError(problems_of("Account", error, fields)) from None

    @property
    def has_funding(self) -> bool:
        """Whether positions pay or receive funding."""
        return bool(self.funding_percent) or self.funding is not None

    @property
    def entry_cost(self) -> float | None:
        """What an entry costs at the beginning, quote currency; None where its stop decides."""
        if self.risk is not None:
            return None
        cost = self.quote if self.quote is not None else self.cash * (self.percent or 0.0) / 100
        return cost if self.max_percent is None else min(cost, self.cash * self.max_percent / 100)

    @field_validator("funding", mode="before")
    @classmethod
    def _read_funding(cls, given: object) -> object:
        if given is None:
            return None
        if not isinstance(given, Mapping):
            raise ValueError("must be a mapping of a symbol to its percents by time")
        return {canonical(symbol): _charges(symbol, own) for symbol, own in given.items()}

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        given = [name for name in _SIZES if getattr(self, name) is not None]
        if len(given) != 1:
            one = " or ".join(_SIZES)
            raise ValueError(f"give exactly one of {one}; given: {', '.join(given) or 'none'}")
        if self.funding is not None and self.funding_percent:
            raise ValueError("give funding_percent or funding, not both")
        return self

    def __repr_args__(self) -> Iterator[tuple[str, object]]:
        """Show what was set."""
        for name, field in type(self).model_fields.items():
            if (value := getattr(self, name)) != field.default:
                yield name, value

    def __dir__(self) -> list[str]:
        """Tab shows the settings, and nothing of pydantic."""
        return list(type(self).model_fields)


def _charges(symbol: object, given: Any) -> Charges:
    """Read the funding of a symbol: a Series, or a mapping of times to percents."""
    items = None if hasattr(given, "columns") else getattr(given, "items", None)
    if items is None:
        words = f"the funding of {symbol} must be percents by time (a Series or a dict)"
        raise ValueError(f"{words}, was {shown(given)}")
    found, wrong = [], []
    for at, percent in items():
        number = finite(percent)
        try:
            found.append((to_ms(at, f"a time of the funding of {symbol}"), number or 0.0))
        except UsageError as error:
            wrong.append(str(error))
            continue
        if number is None:
            words = f"the funding of {symbol} at {at} must be a finite number"
            wrong.append(f"{words}, was {shown(percent)}")
    if wrong:
        raise ValueError(f"{wrong[0]} (wrong: {len(wrong)} of {len(given)})")
    return tuple(sorted(found))


def check_account(account: object, rules: Rules) -> None:
    """Refuse what is no account, and leverage under which a stop may come too late.

    Raises
    ------
    UsageError
        When the leverage times the largest distance of a stop is 100 % or more.
    """
    if not isinstance(account, Account):
        raise UsageError(f"account must be tn.Account(...), was {shown(account)}")
    reach = account.leverage * rules.max_stop_loss_percent
    if reach >= 100:
        most = 100 / account.leverage
        raise UsageError(
            f"leverage {account.leverage:g} x max_stop_loss_percent "
            f"{rules.max_stop_loss_percent:g} is {reach:g} %: all that an entry binds would be "
            "lost before its stop, and no liquidation is modelled; lower the leverage, or pass "
            f"rules=tn.Rules(max_stop_loss_percent=...) below {most:g}"
        )


def differences(one: Account, other: Account) -> list[str]:
    """Say in which settings that all share two accounts differ, such as "cash 1 and 2"."""
    return [
        f"{name} {shown(getattr(one, name))} and {shown(getattr(other, name))}"
        for name in SHARED
        if getattr(one, name) != getattr(other, name)
    ]


def accounts_of(
    given: Account | Mapping[str, Account] | None, strategies: Sequence[str], rules: Rules
) -> Mapping[str, Account]:
    """Return the account of each strategy by name; none at all without one.

    Raises
    ------
    UsageError
        When one is missing, or they differ in what all share.
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        check_account(given, rules)
        return dict.fromkeys(strategies, given)
    for name, own in given.items():
        if name not in strategies:
            raise unknown("strategy of an account", name, strategies)
        check_account(own, rules)
    for name in strategies:
        if name not in given:
            raise UsageError(f"account has nothing for strategy {name!r}; give each its own")
    first, *others = (given[name] for name in strategies)
    for other in others:
        if found := differences(first, other):
            raise UsageError(
                f"accounts of one run must be equal but for their sizes: {'; '.join(found)}"
            )
    return {name: given[name] for name in strategies}
