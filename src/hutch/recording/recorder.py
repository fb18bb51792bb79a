"""Documents in: the callable that a RunEngine, or any program, gives its documents to.

Every document ends in one of three places: in its run; in its run and marked there, because it
contradicts its descriptor or schema; or in quarantine, whole, because it has no place. The recorder
raises at a start that the store cannot take, and after that only if it was asked to be strict.
"""

from __future__ import annotations

import logging
import os
import weakref
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from hutch.documents import REPLACED, decode, encode_lossy, is_same_text
from hutch.documents.schemas import SCHEMAS, problems
from hutch.errors import DocumentError, RunOwnedError, StoreError
from hutch.recording.committing.committer import Committer
from hutch.recording.committing.quarantine import stored_run, why_no_descriptor
from hutch.recording.committing.run_writer import RunWriter
from hutch.recording.committing.starting import begin_run, continue_run
from hutch.recording.events.paging import bulk_events, page_events
from hutch.recording.patience import patiently
from hutch.recording.uids import document_uid, uid_in
from hutch.store import Store
from hutch.store.pacing import Pace

if TYPE_CHECKING:
    from hutch.recording.events.stream_buffer import StreamBuffer

__all__ = ["Recorder"]

logger = logging.getLogger("hutch.recording")

_NOW_AND_THEN = 255
"""Bits of an arrival number that are zero when it is time to look at what is pending."""

_ASSETS = ("resource", "datum", "datum_page", "bulk_datum", "stream_resource", "stream_datum")


class Recorder:
    """Records documents into a store: ``RE.subscribe(cat.recorder())``.

    Runs may be interleaved, and several recorders may work at once.

    :param strict: raise :class:`~hutch.errors.DocumentError` at the first document that is
        nonconforming or has no place, after it has been kept (every document is then committed at
        once, which is slow).
    :param retried: raise :class:`~hutch.errors.StoreError` at any document that the store cannot take,
        and not only at a start: the caller has it still, and gives it again.
    :param pace: of a caller that reads many documents from where they are kept: others are not kept
        waiting, and nothing is put aside.
    :param patience_s: how long a start waits for a store that does not answer; else what is configured.
    """

    def __init__(
        self,
        store: Store,
        *,
        strict: bool = False,
        retried: bool = False,
        pace: Pace | None = None,
        patience_s: float | None = None,
    ) -> None:
        self._store = store
        self._strict = strict
        self._retried = retried
        self._pace = pace
        self._patience_s = patience_s
        self._committer = Committer.of(store)
        self._runs: dict[str, RunWriter] = {}
        self._by_descriptor: dict[str, tuple[RunWriter, StreamBuffer]] = {}
        self._by_resource: dict[str, RunWriter] = {}
        self._take = {
            "event": self._event,
            "event_page": self._event_page,
            "start": self._start,
            "descriptor": self._descriptor,
            "stop": self._stop,
            "bulk_events": self._bulk_events,
            **dict.fromkeys(_ASSETS, self._asset),
        }
        _recorders.add(self)
        if pace is None:
            self._committer.take_in_leftovers()

    def __call__(self, name: str, doc: Any) -> None:
        """Take one document.

        :param name: its kind, as event-model names it.
        :raises StoreError: if the store cannot take a start document; any, if the recorder is ``retried``.
        :raises RunOwnedError: if another live process records that run.
        :raises DocumentError: if ``strict``, at what is nonconforming or has no place.
        """
        if name == "event":
            # The hot path: some microseconds in the RunEngine's thread.
            try:
                run, buffer = self._by_descriptor[doc["descriptor"]]
                is_placed = type(doc["uid"]) is str
            except (KeyError, TypeError):
                is_placed = False
            if is_placed:
                arrival = run.add_event(buffer, doc)
                if not run.is_waiting:
                    self._committer.has_news(run)
                if self._strict or buffer.is_heavy or not arrival & _NOW_AND_THEN:
                    self._relieve(run, buffer)
                return
        self._slow(str(name), doc)

    def flush(self) -> None:
        """Commit what has arrived, and put it onto the disk.

        :raises StoreError: if that fails; what was not committed is kept, and tried again.
        """
        failed = self._committer.finish()
        if failed:
            raise failed[0].failure or StoreError(f"Run {failed[0].row.uid!r} could not be committed.")
        self._store.sync()

    def close(self) -> None:
        """Commit what has arrived and let open runs go; they are then ``interrupted``.

        :raises StoreError: if the recorder has a ``pace`` and the store does not take all.
        """
        failures = [error for uid in list(self._runs) if (error := self.let_go(uid)) is not None]
        if failures and self._pace is not None:
            raise failures[0]

    def let_go(self, uid: str) -> StoreError | None:
        """Commit what has arrived of a run, and let it go if it is open and no other recorder has it.

        :returns: what keeps the store from it; it is tried again in the background.
        """
        run = self._runs.get(uid)
        if run is None:
            return None
        self._forget(run)
        try:
            self._committer.close(run, self)
        except StoreError as error:
            return error
        return None

    def after_fork(self) -> None:
        """In a child process: leave the runs to the parent."""
        self._runs, self._by_descriptor, self._by_resource = {}, {}, {}

    def _slow(self, name: str, doc: Any) -> None:
        take = self._take.get(name)
        if take is None:
            self._refuse(None, name, "there is no such kind of document", doc)
        elif not isinstance(doc, Mapping):
            self._refuse(None, name, "it is no dictionary", doc)
        else:
            self._guarded(take, name, dict(doc))

    def _guarded(self, take: Callable[[str, dict[str, Any]], None], name: str, doc: dict[str, Any]) -> None:
        """Take a document; what goes wrong must neither cost it nor end the scan it is of."""
        try:
            take(name, doc)
        except StoreError as error:
            if name == "start" or self._strict or self._retried:
                raise
            reason = f"the store could not be asked: {error}"
            self._committer.quarantine.put(self._store, None, name, reason, doc, is_away=True)
        except (DocumentError, RunOwnedError):
            raise
        except Exception as error:
            logger.exception("A document of kind %r could not be taken", name)
            self._refuse(None, name, f"it could not be taken: {error!r}", doc)

    # kinds of documents

    def _start(self, name: str, doc: dict[str, Any]) -> None:
        uid = uid_in(doc, "uid")
        if not uid:
            self._refuse(None, name, "it has no uid", doc)
            return
        # A forked child has a committer of its own.
        self._committer = Committer.of(self._store)
        body, replaced = encode_lossy(doc)
        plain = decode(body)
        known = self._runs.get(uid) or self._committer.find(uid)
        row = None if known else patiently(lambda: begin_run(self._store, uid, plain, body), self._patience_s)
        if row is not None:
            run = RunWriter(self._store, row, self._pace)
            self._open(run)
            self._note(run, name, plain, replaced)
            self._settle(run)
            return
        with self._committer.taking_over:
            known = known or self._committer.find(uid) or continue_run(self._store, uid)
            if is_same_text(known.row.start, body):
                self._open(known)
                return
        self._refuse(known, name, f"there is another run of the uid {uid!r}", doc)

    def _descriptor(self, name: str, doc: dict[str, Any]) -> None:
        from hutch.recording.events.stream_buffer import StreamBuffer

        run = self._runs.get(uid_in(doc, "run_start"))
        uid = uid_in(doc, "uid")
        if run is None:
            self._refuse(None, name, "its run is not known", doc)
            return
        if not uid:
            self._refuse(run, name, "it has no uid", doc)
            return
        body, replaced = encode_lossy(doc)
        if uid in run.descriptors:
            if not is_same_text(run.descriptors[uid], body):
                self._refuse(run, name, f"the run has another descriptor of the uid {uid!r}", doc)
        else:
            plain = decode(body)
            run.add_descriptor(StreamBuffer(plain), body)
            self._note(run, name, plain, replaced)
        self._by_descriptor[uid] = (run, run.buffers[uid])
        self._settle(run)

    def _event(self, name: str, doc: dict[str, Any]) -> None:
        run, buffer = self._by_descriptor.get(uid_in(doc, "descriptor"), (None, None))
        if run is None or buffer is None:
            self._refuse(None, name, why_no_descriptor(self._store, doc), doc)
        elif not isinstance(doc.get("uid"), str):
            self._refuse(run, name, "it has no uid", doc)
        else:
            run.add_event(buffer, doc)
            self._arrived(run, buffer)

    def _event_page(self, name: str, doc: dict[str, Any]) -> None:
        run, buffer = self._by_descriptor.get(uid_in(doc, "descriptor"), (None, None))
        if run is None or buffer is None:
            self._refuse(None, name, why_no_descriptor(self._store, doc), doc)
            return
        if run.add_page(buffer, doc):
            self._arrived(run, buffer)
        else:
            self._each_event(run, name, doc, page_events)

    def _bulk_events(self, name: str, doc: dict[str, Any]) -> None:
        self._each_event(None, name, doc, bulk_events)

    def _each_event(
        self,
        run: RunWriter | None,
        name: str,
        doc: dict[str, Any],
        events_of: Callable[[dict[str, Any]], list[dict[str, Any]]],
    ) -> None:
        """Take the events of a document one by one."""
        try:
            events = events_of(doc)
        except DocumentError as error:
            self._refuse(run, name, str(error), doc)
            return
        for event in events:
            self._slow("event", event)

    def _asset(self, name: str, doc: dict[str, Any]) -> None:
        """Take a document about external files."""
        run = self._run_of_asset(name, doc)
        if run is None:
            self._refuse(None, name, "its run is not known", doc)
            return
        body, replaced = encode_lossy(doc)
        uid = document_uid(name, doc, body)
        if not uid:
            self._refuse(run, name, "it has no uid", doc)
            return
        if name in ("resource", "stream_resource"):
            self._by_resource[uid] = run
            run.resources.add(uid)
        run.add_document(name, uid, body)
        self._note(run, name, decode(body), replaced)
        self._settle(run)

    def _stop(self, name: str, doc: dict[str, Any]) -> None:
        run = self._runs.get(uid_in(doc, "run_start"))
        if run is None:
            known = stored_run(self._store, doc)
            if known is None or known.stop is None:
                self._refuse(None, name, "its run is not known", doc)
            elif not is_same_text(known.stop, encode_lossy(doc)[0]):
                self._refuse(known.id, name, "the run has another stop document", doc)
            return
        body, replaced = encode_lossy(doc)
        plain = decode(body)
        self._forget(run)
        if run.stop is not None:  # a second recorder, or a file that is imported again
            self._committer.has_news(run)
            if not is_same_text(run.stop, body):
                self._refuse(run, name, "the run has another stop document", doc)
            return
        run.stop = body
        self._note(run, name, plain, replaced, announce=False)
        try:
            troubles = self._committer.commit_now(run, plain)
        except StoreError:
            if self._strict or self._retried:
                raise
            return
        self._raise_if_strict(troubles)

    # where things belong

    def _open(self, run: RunWriter) -> None:
        self._runs[run.row.uid] = run
        self._committer.open(run, self)
        for uid, buffer in run.buffers.items():
            self._by_descriptor[uid] = (run, buffer)
        self._by_resource.update(dict.fromkeys(run.resources, run))

    def _forget(self, run: RunWriter) -> None:
        self._runs.pop(run.row.uid, None)
        for uid in run.buffers:
            self._by_descriptor.pop(uid, None)
        for uid in [uid for uid, owner in self._by_resource.items() if owner is run]:
            del self._by_resource[uid]

    def _run_of_asset(self, name: str, doc: dict[str, Any]) -> RunWriter | None:
        if name in ("datum", "datum_page", "bulk_datum"):
            return self._by_resource.get(uid_in(doc, "resource"))
        if name == "stream_datum":
            return self._by_resource.get(uid_in(doc, "stream_resource"))
        if doc.get("run_start"):
            return self._runs.get(uid_in(doc, "run_start"))
        # An old resource does not name its run: it is of the one that was started last, or comes again.
        known = self._by_resource.get(uid_in(doc, "uid"))
        return known or next(reversed(self._runs.values()), None)

    # what is wrong

    def _note(
        self, run: RunWriter, kind: str, doc: dict[str, Any], replaced: list[str], *, announce: bool = True
    ) -> None:
        """Mark what contradicts a document's schema."""
        if kind in SCHEMAS:
            for place, reason in problems(kind, doc):
                run.mark(f"{kind}: {place}", reason)
        for place in replaced:
            run.mark(f"{kind}: {place}", REPLACED)
        if announce:
            self._committer.has_news(run)

    def _refuse(self, run: RunWriter | int | None, kind: str, reason: str, doc: Any) -> None:
        """Put a document into quarantine, at once.

        :param run: that it belongs to, or its number in the store.
        """
        number = run.row.id if isinstance(run, RunWriter) else run
        self._committer.refuse(self._store, number, kind, reason, doc, retried=self._retried)
        if self._strict:
            msg = f"A document of kind {kind!r} was put into quarantine: {reason}."
            raise DocumentError(msg)

    # commit

    def _arrived(self, run: RunWriter, buffer: StreamBuffer) -> None:
        if not run.is_waiting:
            self._committer.has_news(run)
        self._relieve(run, buffer)

    def _relieve(self, run: RunWriter, buffer: StreamBuffer) -> None:
        """See to it that events do not pile up."""
        if run.failure is not None and self._pace is not None:
            raise run.failure
        if buffer.is_full:
            # Faster than the committer: the caller helps, so that memory stays bounded.
            self._commit(run)
        self._settle(run)

    def _settle(self, run: RunWriter) -> None:
        if self._strict:
            self._raise_if_strict(self._committer.commit_now(run))

    def _commit(self, run: RunWriter) -> None:
        try:
            self._committer.commit_now(run)
        except StoreError:
            if self._pace is not None:
                raise

    def _raise_if_strict(self, troubles: list[Any]) -> None:
        if self._strict and troubles:
            msg = f"Recorded, but nonconforming: {'; '.join(map(str, troubles[:10]))}."
            raise DocumentError(msg)


_recorders: weakref.WeakSet[Recorder] = weakref.WeakSet()


def _after_fork() -> None:
    for recorder in list(_recorders):
        recorder.after_fork()


os.register_at_fork(after_in_child=_after_fork)
