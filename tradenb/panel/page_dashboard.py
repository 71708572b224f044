"""The widget of one open page of `tradenb dashboard`: the page gets what a notebook would get.

The values, the messages and the answers to buttons are those of `Dashboard`; only the way differs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from tradenb.panel.dashboard import Dashboard

READ_ONLY: Final = "this page only reads; `tradenb dashboard --control` makes one with buttons"
_UNSEEN: Final = ("layout", "tabbable", "tooltip")


class PageDashboard(Dashboard):
    """A dashboard whose view is a page of its own.

    Parameters
    ----------
    home : path or None
    push : callable
        Takes what the page is to be told; it is called on several threads.
    control : bool
        Whether requests of the page are obeyed.
    """

    def __init__(
        self, home: str | Path | None, push: Callable[[dict[str, Any]], None], *, control: bool
    ) -> None:
        self._tell, self._control, self._begun = push, control, False
        super().__init__(home)

    def begin(self) -> None:
        """Tell the page all that it shows, and from now on what changes."""
        with self._refreshing:
            self._begun = True
            self._push({"begin": _seen(self.get_state())})

    def take(self, text: str) -> None:
        """Do what a page says: a value that it sets, or a message of its view."""
        try:
            given = json.loads(text)
        except (ValueError, RecursionError):
            return
        match given:
            case {"set": {"chosen": str(key)}}:
                self.chosen = key
            case {"set": {"width": int(width)}}:
                self.width = width
            case {"message": dict(message)}:
                self._handle_custom_msg(message, [])

    def send_state(self, key: Any = None) -> None:
        """Tell the page which values have changed."""
        if changed := _seen(self.get_state(key)):
            self._push({"state": changed})

    def send(self, content: Any, buffers: Any = None) -> None:
        """Tell the page a message."""
        del buffers
        self._push({"message": content})

    def _push(self, told: dict[str, Any]) -> None:
        if self._begun:
            self._tell(told)

    def _answer(self, message: dict[str, Any]) -> None:
        if self._control:
            super()._answer(message)
            return
        reply = {"type": "accepted", "id": str(message.get("id"))}
        self.send({**reply, "channel": "none", "words": READ_ONLY})


def _seen(state: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is of widgets, not of what they show."""
    return {
        name: value
        for name, value in state.items()
        if not name.startswith("_") and name not in _UNSEEN
    }
