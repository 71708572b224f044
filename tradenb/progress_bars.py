"""Bars of progress: in notebooks and on terminals, not in the log of a program."""

from __future__ import annotations

import sys
from typing import Any


def progress_bar(words: str, *, shown: bool, **how: Any) -> Any:
    """Return a tqdm bar, which does nothing where it is not wanted or would fill a log.

    Parameters
    ----------
    words : str
        What is under way.
    how
        More for tqdm.
    """
    from tqdm.auto import tqdm

    in_notebook = tqdm.__module__ == "tqdm.auto"  # else it is the plain one
    wanted = shown and (in_notebook or sys.stderr.isatty())
    silent: Any = {} if wanted else {"disable": True}  # False would overrule TQDM_DISABLE
    return tqdm(desc=words, leave=False, **how, **silent)
