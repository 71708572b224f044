"""Export: from strategies in a notebook to a script that is proven to give the same trades."""

from tradenb.exporting.api import Exported, export

__all__ = ["Exported", "export"]


def __dir__() -> list[str]:
    return sorted(__all__)
