"""A document that somebody else wrote: its run stands still until the user says which one holds.

It makes no ticks meanwhile, for nothing of them could be saved; the other runs of its group go on.
"""

from __future__ import annotations

from tradenb.engine.ports import Workers
from tradenb.errors import StateError
from tradenb.live.loop.notify import Notifier
from tradenb.live.loop.record import RunRecord
from tradenb.live.state.recorder import Recorder


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
            _forget(run)
        else:
            await _hear(run, workers)
            return
    except (StateError, OSError) as error:
        await notifier.fail(run, error)
    else:
        run.undecided, run.error, run.decision = False, None, None
        run.next_at = 0  # what closed meanwhile is fed at once


async def _hear(run: RunRecord, workers: Workers) -> None:
    """Let the run go if that is asked for; all else would have to be saved."""
    asked = await workers.call(run.storage.look, seconds=None)
    going = [request for request in asked.requests if request.command is None]
    if going:
        run.releasing = True
        await workers.call(run.storage.done, going, seconds=None)


def _forget(run: RunRecord) -> None:
    """Forget what a run had in memory; it begins again from what it was given."""
    run.instance, run.feed, run.committed = None, None, None
    run.outbox, run.callbacks, run.saved = [], [], True
    run.recorder = Recorder(run.storage, run.spec, run.source.name, run.rules)
    # What the user asked for meanwhile is asked of the state that holds.
    run.commands.extendleft(reversed(run.uncommitted))
    run.uncommitted = []
