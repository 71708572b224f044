"""The risk books of a group, as far as they are on disk: what runs outside of it hold and closed.

A book is derived, never stored. While rules are asked and until their answer is committed the
rules are locked, so that two processes cannot take the last slot both; what others hold is read
from their documents. Decision 14 in docs/adr.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from tradenb.engine.serialise import from_record
from tradenb.engine.session.books import Peer, Peers
from tradenb.errors import StateError
from tradenb.store.codec import Generation
from tradenb.store.document.migrations import MIGRATIONS
from tradenb.store.document.read import Documents, read_one
from tradenb.store.document.state_conflict import ours_of
from tradenb.store.filesystem import Filesystem
from tradenb.store.lock import risk_locks
from tradenb.store.paths import Home, Key
from tradenb.store.view_files import risk_view, write_views

LOCK_S: Final = 10.0


class PeerCache:
    """What was read of the runs that a group shares rules with, kept until it changes.

    Runs that ended long ago never do: they cost a look at the head of their document.
    """

    def __init__(self) -> None:
        self._documents = Documents()
        self._peers: dict[Path, tuple[Generation, Peer]] = {}

    def read(self, filesystem: Filesystem, path: Path) -> Generation | None:
        """Return a document; see `Documents.read`."""
        return self._documents.read(filesystem, path)

    def peer(self, path: Path, generation: Generation) -> Peer:
        """Return the peer that a document describes."""
        known = self._peers.get(path)
        if known is None or known[0] is not generation:
            known = self._peers[path] = generation, _peer(generation)
        return known[1]


class SharedBooks:
    """Reads and locks what a group shares with the other runs under its home.

    Parameters
    ----------
    rules : iterable of str
        Names of the group's risk rules.
    accounts : iterable of str
        Names of the group's accounts.
    own : iterable of Key
        The runs of the group itself.
    known : PeerCache
        What has been read before.
    unkept : sequence of Generation
        States that count as well and are in no file.
    alone : bool
        Nobody else takes part: rehearsals, each of which has a time of its own.
    """

    def __init__(
        self,
        filesystem: Filesystem,
        home: Home,
        rules: Iterable[str],
        accounts: Iterable[str],
        own: Iterable[Key],
        known: PeerCache,
        unkept: Sequence[Generation] = (),
        *,
        alone: bool = False,
    ) -> None:
        self._filesystem = filesystem
        self._home = home
        self._rules = sorted(set(rules))
        self._names = sorted({*self._rules, *map(account_key, accounts)})
        self._own = frozenset(own)
        self._known = known
        self._unkept = [each for each in unkept if self._shares(each)]
        self._alone = alone
        self._guard = threading.Lock()
        self._locks: ExitStack | None = None
        self._times_left = 0

    def lock(self) -> list[Peer]:
        """Lock the rules, unless they are, and read what other runs hold.

        Returns
        -------
        list of Peer
            In the order of their places, as their documents have them.

        Raises
        ------
        StateLocked
            When another process has a rule for longer than 10 s.
        StateError
            When a document cannot be read: what it holds may fill the book.
        """
        if self._alone:
            return []
        with self._guard:
            locked, times_left = self._locks is not None, self._times_left
        names = [] if locked else self._names
        with risk_locks(self._filesystem, self._home, names, timeout_seconds=LOCK_S) as locks:
            found = self.read()
            with self._guard:
                if times_left != self._times_left:
                    raise StateError("the risk rules were unlocked while their books were read")
                if not locked:
                    self._locks = locks.pop_all()
        return found

    def read(self) -> list[Peer]:
        """Read what other runs hold and have booked, as `lock` does, but lock nothing."""
        if self._alone:
            return []
        found = [self._known.peer(*item) for item in self._others()]
        found += map(_peer, self._unkept)
        return sorted(found, key=lambda item: item.place)

    def _shares(self, generation: Generation) -> bool:
        """Tell whether a run names one of the rules, or of the accounts."""
        return not set(self._names).isdisjoint(names_of(generation.body))

    def unlock(self) -> ExitStack | None:
        """Unlock the rules, also during a call of `lock`; unlocking twice is harmless.

        Returns
        -------
        ExitStack or None
            What is to be closed, which touches the disk; None where nothing was locked.
        """
        with self._guard:
            locks, self._locks = self._locks, None
            self._times_left += 1
        return locks

    def write_views(self, own: Sequence[Generation]) -> None:
        """Write the views of the rules; `own` are the documents of the group.

        Raises
        ------
        StateError
            When a document cannot be read or a view not be written.
        """
        generations = [*own, *(generation for _, generation in self._others()), *self._unkept]
        views: dict[Path, bytes] = {}
        for rule in self._rules:
            views |= risk_view(self._home, rule, generations)
        write_views(self._filesystem, views)

    def _others(self) -> list[tuple[Path, Generation]]:
        """Return the documents of other runs that name one of the rules."""
        if self._alone:
            return []
        found = []
        try:
            keys = [key for key in self._home.keys(self._filesystem) if key not in self._own]
        except OSError as error:
            raise StateError(
                f"{self._home.state} cannot be read ({error.strerror or error}), so it is unknown "
                "what other runs hold; repair the disk"
            ) from error
        for key in keys:
            path = self._home.document(key)
            generation = self._known.read(self._filesystem, path)
            for file, each in ((path, generation), *self._undecided(path)):
                if each is not None and self._shares(each):
                    found.append((file, each))
        return found

    def _undecided(self, path: Path) -> list[tuple[Path, Generation]]:
        """Return what a run had that lost its document: until it is decided, both states count."""
        try:
            files = ours_of(self._filesystem, path)[-1:]
        except OSError as error:
            raise StateError(f"{path.parent} cannot be read ({error.strerror or error})") from error
        found = []
        for file in files:
            reading = read_one(self._filesystem, file, of=path, migrations=MIGRATIONS)
            if reading.generation is None:
                words = f"{file} cannot be read, so it is unknown what its run holds"
                raise StateError(f"{words}; see `tradenb doctor`")
            found.append((file, reading.generation))
        return found


def account_key(name: str) -> str:
    """Return the name under which an account is locked, as a rule is."""
    return f"account {name}"


def names_of(body: Mapping[str, Any]) -> list[str]:
    """Return the names of all that a run shares: its risk rules and its account."""
    money = body.get("money")
    return [*body["risk"], *([] if money is None else [account_key(money["name"])])]


def _peer(generation: Generation) -> Peer:
    body = generation.body
    money = body.get("money")
    return Peer(
        place=body["order"],
        state=from_record(body["state"]),
        rules=tuple(body["risk"]),
        start=int(body["start"]),
        account=None if money is None else money["name"],
        price=body.get("price"),
    )


def joined(peers: Sequence[Peer], own: Sequence[tuple[int, tuple[str, ...], int]]) -> Peers:
    """Place peers among the runs of a group, whose place, rules and start are `own`.

    Instances count from 0 in their session: a peer stands between two of them, at a half.
    """
    placed = [
        peer._replace(place=sum(place < peer.place for place, _, _ in own) - 0.5) for peer in peers
    ]
    since: dict[str, int] = {}
    started = [(peer.rules, peer.start) for peer in peers if not peer.state.done]
    for rules, start in [*started, *((rules, start) for _, rules, start in own)]:
        since |= {name: min(start, since.get(name, start)) for name in rules}
    return Peers(tuple(placed), since)
