"""A strategy that is taken to have answered nothing at some moments, as a live run lost them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tradenb.engine.call import is_async
from tradenb.engine.specs.strategy_spec import StrategySpec


def muted(spec: StrategySpec, moments: frozenset[int]) -> StrategySpec:
    """Return a strategy that answers nothing at some moments."""
    if not moments:
        return spec

    def quiet(function: Callable[..., Any]) -> Callable[..., Any]:
        return _muted_function(function, moments)

    function = _muted_frames(spec, moments) if spec.vectorised else quiet(spec.function)
    return spec.replaced(function, quiet)


def _muted_frames(spec: StrategySpec, moments: frozenset[int]) -> Callable[..., Any]:
    def quiet(df: Any) -> Any:
        found = dict(spec.function(df))
        at = df.index.as_unit("ms").asi8 + spec.every_ms
        silent = np.isin(at, list(moments))
        position = np.array(np.broadcast_to(found["position"], len(df)), dtype=object)
        position[silent] = None
        found["position"] = position
        return found

    return quiet


def _muted_function(function: Callable[..., Any], moments: frozenset[int]) -> Callable[..., Any]:
    if is_async(function):

        async def quiet_later(ctx: Any) -> Any:
            return None if ctx.now in moments else await function(ctx)

        return quiet_later

    def quiet(ctx: Any) -> Any:
        return None if ctx.now in moments else function(ctx)

    return quiet
