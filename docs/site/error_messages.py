"""The directive `error-messages`: every message that the package raises.

By class of error; `raised_messages` finds them.
"""  # noqa: INP001 - an extension of a tool, no package

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from docutils import nodes
from raised_messages import raised
from sphinx.util.docutils import SphinxDirective

from tradenb import errors

if TYPE_CHECKING:
    from sphinx.application import Sphinx


class ErrorMessages(SphinxDirective):
    """A section for each class of error: what it means, and its messages."""

    def run(self) -> list[nodes.Node]:
        """Return the sections."""
        made: list[nodes.Node] = []
        for name, messages in raised().items():
            kind = getattr(errors, name)
            section = nodes.section(ids=[nodes.make_id(name)], names=[name])
            section += nodes.title(name, name)
            first = (inspect.getdoc(kind) or "").split("\n\n")[0].replace("`", "")
            later = " The same call may succeed later." if kind.retryable else ""
            section += nodes.paragraph("", first + later)
            if messages:
                section += nodes.bullet_list(
                    "",
                    *(
                        nodes.list_item("", nodes.paragraph("", "", nodes.literal(text, text)))
                        for text in sorted(messages, key=str.casefold)
                    ),
                )
            made.append(section)
        return made


def setup(app: Sphinx) -> dict[str, Any]:
    """Add the directive."""
    app.add_directive("error-messages", ErrorMessages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
