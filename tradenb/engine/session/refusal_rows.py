"""Refusals in a row: the first is an event, the others are counted."""

from __future__ import annotations

from dataclasses import replace

from tradenb.core.events import Event
from tradenb.core.lifecycle.state import Refusing
from tradenb.engine.session.instance import Instance


class RefusalRows(dict[tuple[int, int, str], Refusing]):
    """The rows of a session: by place of the instance, first close and name."""

    def knows(self, instance: Instance, event: Event, name: str) -> bool:
        """Count a refusal; tell whether it belongs to a row that an event has told of already."""
        row, reason = instance.refusing, event.exit_reason or "risk"
        known = row is not None and (row.exit_reason, row.name) == (reason, name)
        if row is None or not known:
            row = Refusing(reason, name, event.at, event.at, 0)
        row = instance.refusing = replace(row, last=event.at, count=row.count + 1)
        self[instance.place, row.first, name] = row
        return known
