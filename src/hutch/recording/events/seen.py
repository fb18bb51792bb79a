"""Has this event been here before? In bounded memory, for runs of any length.

Events of a stream normally count up and have fresh uids, and then two cheap looks at a batch suffice:
its sequence numbers exceed all before, and its uids are not among the latest. Only when one of them
fails (a plan was rewound, somebody subscribed twice, a file is imported again) are the uids of the
whole run looked at, by their hashes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hutch.store.batches.scanning import Values, integers

__all__ = ["SeenEvents"]

_RECENT = 32_768


class SeenEvents:
    """Uids of one run's events.

    :ivar is_exact: True once all uids are known and not only the latest.
    """

    def __init__(self) -> None:
        self._recent: set[str] = set()
        self._older: set[str] = set()
        self._hashes: set[int] | None = None

    @property
    def is_exact(self) -> bool:
        """True once all uids are known and not only the latest."""
        return self._hashes is not None

    def is_fresh(self, uids: Sequence[str], seq_nums: Values, last_seq_num: int) -> bool:
        """Tell whether events are certainly new: counting up, uids among them and before distinct."""
        fresh = set(uids)
        if len(fresh) != len(uids) or not self._recent.isdisjoint(fresh) or not self._older.isdisjoint(fresh):
            return False
        if self._hashes is not None:
            return self._hashes.isdisjoint(map(hash, fresh))
        numbers = integers(seq_nums)
        return bool(numbers[0] > last_seq_num and (numbers[1:] > numbers[:-1]).all())

    def know_all(self, uids: Iterable[str]) -> None:
        """Learn the uids of all events of the run so far."""
        self._hashes = set(map(hash, uids))

    def suspects(self, uids: Sequence[str]) -> list[int]:
        """Return positions of uids that may have been there, or are there twice; needs ``is_exact``."""
        hashes = self._hashes or set()
        known: set[str] = set()
        found = []
        for position, uid in enumerate(uids):
            if uid in known or hash(uid) in hashes:
                found.append(position)
            known.add(uid)
        return found

    def add(self, uids: Iterable[str]) -> None:
        """Remember the uids of events that were taken."""
        if self._hashes is not None:
            self._hashes.update(map(hash, uids))
            return
        if len(self._recent) >= _RECENT:
            self._recent, self._older = set(), self._recent
        self._recent.update(uids)
