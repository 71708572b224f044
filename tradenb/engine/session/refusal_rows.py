"""Refusals in a row: the first is an event, the others are counted."""

from __future__ import annotations

from tradenb.core.lifecycle.state import Refusing
from tradenb.engine.session.instance import Instance


class RefusalRows(dict[tuple[int, int, str], Refusing]):
    """The rows of a session: by place of the instance, first close and name."""

    def knows(self, instance: Instance, reason: str, name: str) -> bool:
        """Tell whether a refusal belongs to a row that an event has told of already."""
        row = instance.refusing
        return row is not None and row.name == name and row.exit_reason == reason

    def count(self, instance: Instance, at: int, reason: str, name: str) -> None:
        """Count a refusal; one that belongs to no row begins one."""
        known = instance.refusing if self.knows(instance, reason, name) else None
        self.go_on(instance, at, known or Refusing(reason, name, at, at, 0))

    def go_on(self, instance: Instance, at: int, row: Refusing) -> None:
        """Count one more refusal of a row."""
        reason, name, first, _, count = row
        row = tuple.__new__(Refusing, (reason, name, first, at, count + 1))  # half the time
        instance.refusing = self[instance.place, first, name] = row
