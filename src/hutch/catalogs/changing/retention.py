"""The rules of retention of a store: set, listed, removed, and what they would delete now."""

from __future__ import annotations

import math
import time
from typing import Any

from hutch.catalogs.changing.deleting import Deletion, Progress, plan_run
from hutch.catalogs.changing.retention_rules import RetentionRule, RuleBook
from hutch.catalogs.finding.selection import rows_by_uid
from hutch.catalogs.signatures import this_user
from hutch.documents import encode
from hutch.errors import ConfigurationError
from hutch.store.protocols.store import Store

__all__ = ["Retention"]


class Retention:
    """The rules of a store.

    >>> cat.retention.set("alignment", older_than_days=90, where={"purpose": "alignment"})
    >>> cat.retention.set("thesis", keep=True, where={"sample.name": "LaB6"})
    >>> cat.retention.plan().execute()
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def rules(self) -> list[RetentionRule]:
        """Return the rules, by name."""
        return RuleBook(self._store).rules

    def set(self, name: str, *, author: str | None = None, **declared: Any) -> RetentionRule:
        """Set a rule, in place of one of the same name; see :class:`RetentionRule` for what it declares.

        :param author: who; else the user of this process and the host's name.
        :raises ConfigurationError: naming everything that is wrong with it.
        """
        rule = RetentionRule.of(name, declared)
        self._write(name, encode(rule.to_json()), author)
        return rule

    def remove(self, name: str) -> None:
        """Remove a rule; what it held may then be deleted.

        :raises ConfigurationError: if there is none of this name.
        """
        names = [row.name for row in self._store.retention()]
        if name not in names:
            known = ", ".join(names) or "none"
            msg = f"There is no rule of retention {name!r}. Rules: {known}"
            raise ConfigurationError(msg)
        self._write(name, None, None)

    def plan(self, progress: Progress | None = None) -> Deletion:
        """Return what the rules would delete now.

        :param progress: called after every run that was looked at.
        """
        store, book, now = self._store, RuleBook(self._store), time.time()
        found = Deletion(store, book)
        youngest = now - min((rule.age_s for rule in book.rules if not rule.keep), default=math.inf)
        uids = store.run_uids()
        for done, row in enumerate(rows_by_uid(store, uids), 1):
            if row.time > youngest:
                break
            rule = book.deleting(row, now)
            keeping = book.keeping(row) if rule is not None else None
            if keeping is not None:
                found.kept[row.uid] = keeping.name
            elif rule is not None:
                found.runs.append(plan_run(store, row, book, f"rule {rule.name!r}: {rule}"))
            if progress is not None:
                progress(done, len(uids))
        return found

    def _write(self, name: str, rule: bytes | None, author: str | None) -> None:
        with self._store.transaction() as writer:
            writer.lock("retention")
            writer.set_retention(name, rule, author or this_user())
        self._store.sync()
