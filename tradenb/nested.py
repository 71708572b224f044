"""The opt-in that patches asyncio, and the only place that imports nest_asyncio.

Nothing in tradenb needs it: live runs have a thread and an event loop of their own. It is here for
notebooks full of other code that calls `asyncio.run` in a cell.
"""

from __future__ import annotations

import asyncio

from tradenb.errors import UsageError


def allow_nested() -> None:
    """Let `asyncio.run` work where an event loop is running already, as in a notebook cell.

    Prefer `await` in the cell; tradenb itself never needs this. The patch is nest_asyncio's, which
    is not developed any more. It has side effects:

    - it replaces `asyncio.run`, tasks and futures in the whole process, for every library in it,
      until the kernel is restarted;
    - under ipykernel 7.2 to 7.4, cells that "Run All" has queued silently never run;
    - `asyncio.run(..., loop_factory=...)`, new in Python 3.12, stops working;
    - event loops that are not asyncio's own, such as uvloop's, cannot be patched.

    Calling it again changes nothing more.

    Raises
    ------
    UsageError
        When the running loop is not one of asyncio's own; nothing has been patched then.

    Examples
    --------
    In a cell, before code that was written for scripts::

        tn.allow_nested()
        asyncio.run(somebody_elses_main())
    """
    import nest_asyncio

    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        nest_asyncio.apply()
        return
    # Looked at here, because nest_asyncio looks only after it has patched everything else.
    if not isinstance(loop, asyncio.BaseEventLoop):
        kind = f"{type(loop).__module__}.{type(loop).__qualname__}"
        raise UsageError(
            f"allow_nested() can patch asyncio's own event loops only (this one was {kind}); "
            "`await` the coroutine instead"
        )
    nest_asyncio.apply(loop)
