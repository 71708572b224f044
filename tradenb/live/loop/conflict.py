"""A document that another program wrote: its run pauses until the user says which one holds.

It makes no ticks meanwhile, for nothing of them could be saved; the other runs of its group go on.
"""

from __future__ import annotations

from tradenb.engine.ports import Workers
from tradenb.errors import StateError
from tradenb.live.loop.notify import Notifier
from tradenb.live.loop.record import RunRecord


async def decide(run: RunRecord, workers: Workers, notifier: Notifier) -> None:
    """Do what was decided about a run, here or through a control file, if anything was."""
    try:
        decision, run.decision = run.decision, None
        if decision is None:  # one that is given meanwhile, here, is obeyed by the next pass
            decision = await workers.call(run.storage.decision, seconds=None)
        if decision == "keep_ours":
            await workers.call(run.storage.keep_ours, seconds=None)
        elif decision == "take_theirs":
            run.checkpoint = await workers.call(run.storage.take_theirs, seconds=None)
            run.forget()
            run.ledger = None  # the order manager takes over that of the document
        else:
            await _poll(run, workers)
            return
    except (StateError, OSError) as error:
        await notifier.report_error(run, error)
    else:
        run.undecided, run.error, run.decision = False, None, None
        run.next_at = 0  # what closed meanwhile is fed at once


async def _poll(run: RunRecord, workers: Workers) -> None:
    """Release the run if that is asked for; all else would have to be saved."""
    found = await workers.call(run.storage.poll, seconds=None)
    releases = [request for request in found.requests if request.command is None]
    if releases:
        run.releasing = True
        await workers.call(run.storage.remove_requests, releases, seconds=None)
