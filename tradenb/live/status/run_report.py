"""`report`: the same name and meaning on every handle of a run."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    from tradenb.live.status.run_files import Account


class Reported(ABC):
    """A run that can be reported on."""

    @overload
    def report(self, path: None = None) -> str: ...
    @overload
    def report(self, path: str | os.PathLike[str]) -> Path: ...
    def report(self, path: str | os.PathLike[str] | None = None) -> str | Path:
        """Report on the run: short, or as a page.

        Parameters
        ----------
        path : str or path, optional
            Where one self-contained HTML page goes, with figures, charts and trades; a file that
            is there already is replaced.

        Returns
        -------
        str or pathlib.Path
            Without a path markdown: where the run stands, figures, the newest events.
        """
        from tradenb.live.status.run_files import SHORT

        account = self._account(charted=path is not None)
        return account.markdown(newest=SHORT) if path is None else account.write(path)

    def dump(self, path: str | os.PathLike[str]) -> Path:
        """Write all of it in markdown to a file, and return where it is."""
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(self._account(charted=False).markdown(), encoding="utf-8")
        return target

    @abstractmethod
    def _account(self, *, charted: bool) -> Account:
        """Return what it has done, with candles for the price chart if that is wanted."""
