"""Steps where no risk rule is: what asks for clearance has it, and what an account gives."""

from __future__ import annotations

from typing import assert_never

from tradenb.core.candles.arrays import Candles
from tradenb.core.lifecycle.machine import answer
from tradenb.core.lifecycle.state import NeedCandidate, NeedCandles, NeedClearance, Step
from tradenb.core.money.position_money import Grant
from tradenb.core.rules import Rules


def cleared(step: Step, candles: Candles, rules: Rules, given: Grant | None = None) -> Step:
    """Return the step that follows where clearance is needed, and any other step as it is."""
    match step.need:
        case NeedClearance() as need:
            return answer(step.state, need, given, candles, rules)
        case None | NeedCandles() | NeedCandidate():
            return step
        case _ as unknown:
            assert_never(unknown)
