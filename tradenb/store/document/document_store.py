"""`DocumentStore`: the one document of a run: loaded, committed, and what a user may decide.

The steps of a commit are in `commit.py`, those of loading in `load.py`. The caller has the run's
lock (`lock.FileLock`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from tradenb.errors import StateConflict, StateError
from tradenb.store.aside import free_name
from tradenb.store.codec import LIMIT, Damaged, Generation, fingerprint, seq_of
from tradenb.store.document.commit import Committed, Writer
from tradenb.store.document.load import Found, load
from tradenb.store.document.migrations import MIGRATIONS, VERSION, Migrations
from tradenb.store.document.read import content, decode_by_hand, misplacement, read_one
from tradenb.store.document.state_conflict import (
    give_up_ours,
    keep_ours_aside,
    refuse_undecided,
)
from tradenb.store.filesystem import Filesystem, keep_copy
from tradenb.store.paths import bak_of


class DocumentStore(Writer):
    """The document of one run.

    Parameters
    ----------
    path : Path
        `Home.document(key)`.
    pid : int, optional
        Goes into the names of temporary and quarantined files; default this process.
    guard : callable, optional
        Called before each commit; raises if the run's lock is lost (`FileLock.assure`).
    migrations : mapping, optional
        For tests of older versions.
    """

    def __init__(
        self,
        filesystem: Filesystem,
        path: Path,
        *,
        pid: int | None = None,
        guard: Callable[[], None] | None = None,
        migrations: Migrations = MIGRATIONS,
    ) -> None:
        super().__init__(filesystem, path, pid=pid, guard=guard)
        self._migrations = migrations
        self._unkept: Generation | None = None

    @property
    def unkept(self) -> Generation | None:
        """What the run had when another program wrote the document, while that is in no file."""
        return self._unkept

    def load(self, *, decided: bool = False) -> Found:
        """Find the generation in force; what is damaged is moved aside, never deleted.

        Parameters
        ----------
        decided : bool, default False
            Whether the user has said that what is on disk holds.

        Returns
        -------
        Found
            With generation None if the run has never been saved.

        Raises
        ------
        StateConflict
            When it is still to be decided whether it or what a run had before holds.
        StateCorrupt
            When files are there and none is valid.
        StateVersionError
            When a newer version wrote one of them; nothing was touched.
        StateError
            When a file cannot be read; nothing was touched.
        """
        self._begun = False
        if not decided:
            self._refuse_undecided()
        found = load(self._filesystem, self.path, pid=self._pid, migrations=self._migrations)
        self._go_on(found.seq, found.on_disk, keeps_bak=found.from_document)
        self._begun = True
        self._body = None if found.generation is None else found.generation.body
        self._unkept = None
        return found

    def keep_aside(self) -> None:
        """Write what the run had beside the document that another program wrote, once.

        Raises
        ------
        OSError
            When it cannot be written; it is in memory only, then, and may be tried again.
        """
        if self._unkept is not None:
            seq, body = self._unkept.seq, self._unkept.body
            keep_ours_aside(self._filesystem, self.path, seq, body, pid=self._pid)
            self._unkept = None

    def keep_ours(self) -> Path | None:
        """Let what this run holds win over a document that another program wrote.

        Returns
        -------
        Path or None
            Where the other one is kept as well; the next commit replaces the document.
        """
        kept = self._go_on_from(self.seq, "foreign")
        self._decided, self._unkept = True, None
        return kept

    def take_theirs(self) -> Found:
        """Let what is on disk win; what this run held is kept beside it. Raises as `load` does."""
        try:
            self.keep_aside()
        except OSError as error:
            raise self._to_be_repaired(error) from error
        found = self.load(decided=True)
        if found.generation is None:
            self._begun = False
            raise StateError(f"{self.path} no longer exists, so there is no other state; keep ours")
        try:
            give_up_ours(self._filesystem, self.path)
        except OSError as error:
            self._begun = False
            raise self._to_be_repaired(error) from error
        return found

    def accept(self, file: Path) -> Committed:
        """Put a generation in force that a person has chosen, and perhaps repaired.

        Parameters
        ----------
        file : Path
            Any generation of this run, such as one that was moved aside. Its checksum is not asked
            for, everything else is. The document is kept beside it; what a run had when it lost
            the document (`.ours-`) is kept as `.replaced-`, for the decision is taken.

        Raises
        ------
        StateError
            When it is not a generation of this run; nothing was changed.
        """
        data = content(self._filesystem, file)
        if data is None:
            raise StateError(f"{file} does not exist")
        try:
            chosen = decode_by_hand(data, migrations=self._migrations)
            misplaced = misplacement(chosen, self.path)
            if misplaced:
                raise Damaged(misplaced)
        except Damaged as error:
            raise StateError(f"{file} cannot be put in force: {error}") from error
        self._go_on_from(chosen.seq, "replaced")
        committed = self.commit(chosen.body)
        give_up_ours(self._filesystem, self.path)
        return committed

    def _on_conflict(self, error: StateConflict) -> None:
        """Move damage under the name of the document aside; a state is left where it is."""
        if self._is_damaged():
            self._go_on_from(self.seq, "corrupt")
            return
        if self._body is not None:
            self._unkept = Generation(self.seq, dict(self._body), VERSION)
            with contextlib.suppress(OSError):  # a full disk leaves it in memory
                self.keep_aside()
        raise error

    def _is_damaged(self) -> bool:
        """Tell whether what is under the name of the document is nobody's state."""
        try:
            found = read_one(self._filesystem, self.path, migrations=self._migrations)
        except StateError:
            return False  # of a newer version, or not to be read
        return found.damaged

    def _refuse_undecided(self) -> None:
        try:
            refuse_undecided(self._filesystem, self.path)
        except OSError as error:
            raise StateError(
                f"{self.path.parent} cannot be read ({error.strerror or error}); nothing was "
                "changed. Repair the disk or the permissions, and start again"
            ) from error

    def _to_be_repaired(self, error: OSError) -> StateError:
        words = f"{self.path.parent}: {error.strerror or error}"
        return StateError(f"{words}; repair the disk and decide again")

    def _go_on_from(self, seq: int, word: str) -> Path | None:
        """Let the next commit replace whatever is there, which keeps a second name.

        The next number is above all that any file here claims.
        """
        document, bak = (content(self._filesystem, path) for path in (self.path, bak_of(self.path)))
        kept = None
        if document is not None:
            kept = self.path.with_name(f"{self.path.name}.{word}-{seq_of(document)}-{self._pid}")
            kept = free_name(self._filesystem, kept)
            keep_copy(self._filesystem, self.path, kept, limit=LIMIT + 1)
        seq = max(seq, seq_of(document or b""), seq_of(bak or b""))
        on_disk = None if document is None else fingerprint(document)
        self._go_on(seq, on_disk, keeps_bak=False)
        self._begun = True
        return kept
