"""The log of a bot: to stderr, as lines or as JSON, without what its output says already."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tradenb.cli.bot_output import BotOutput


@contextlib.contextmanager
def logging_to_stderr(output: BotOutput, *, json_lines: bool) -> Iterator[None]:
    """Let the log of tradenb go to stderr.

    An error that is an event as well is left to the output, until its reader closes that.
    """
    handler = logging.StreamHandler()
    words = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    handler.setFormatter(_JsonLines() if json_lines else logging.Formatter(words))
    handler.addFilter(lambda record: output.closed or not getattr(record, "told", False))
    logger = logging.getLogger("tradenb")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


class _JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record; times are ms UTC."""
        facts: dict[str, Any] = {
            "wall": round(record.created * 1_000),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            facts["traceback"] = self.formatException(record.exc_info)
        return json.dumps(facts)
