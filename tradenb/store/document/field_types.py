"""The types of fields that are read from disk, and models that have exactly their fields."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from tradenb.core.rules import Rules
from tradenb.core.timeframe import LATEST, MINUTE
from tradenb.errors import shown
from tradenb.store.document.ledger_record import check_ledger

_LONGEST: Final = 300

Name = Annotated[str, Field(min_length=1, max_length=300)]
Id = Annotated[str, Field(min_length=1)]
Moment = Annotated[int, Field(ge=0, lt=LATEST)]
Close = Annotated[int, Field(ge=0, lt=LATEST, multiple_of=MINUTE)]
Price = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=0, lt=1 << 53)]
Level = Annotated[int, Field(ge=0, le=100, multiple_of=10)]
Ladder = list[Annotated[list[float], Field(min_length=2, max_length=2)]]


def _checked_rules(found: dict[str, Any]) -> dict[str, Any]:
    """Pass on what can be rules; the error names all that is wrong with them."""
    Rules(**found)
    return found


RulesFields = Annotated[dict[str, Any], AfterValidator(_checked_rules)]


def _checked_ledger(found: dict[str, Any]) -> dict[str, Any]:
    """Pass on what can be a ledger of orders."""
    check_ledger(found)
    return found


LedgerFields = Annotated[dict[str, Any], AfterValidator(_checked_ledger)]


class Plain(BaseModel):
    """Exactly these fields, of exactly these types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def sentence_of(item: Any) -> str:
    """Say what an error of pydantic says of one field."""
    where = ".".join(map(str, item["loc"]))
    words = item["msg"].removeprefix("Value error, ")
    if item["type"] != "value_error":
        words = f"{where or 'body'}: {words}, was {shown(item['input'])}"
    elif where:
        words = f"{where}: {words}"
    return words if len(words) <= _LONGEST else f"{words[:_LONGEST]}..."
