"""Export: from strategies in a notebook to a script that is proven to give the same trades."""

from tradenb.exporting.api import Exported, export

__all__ = ["Exported", "export"]
