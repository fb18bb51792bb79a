"""LArPix raw files: messages of the readout as they came, after ``larpix.format.rawhdf5format`` 0.0.

``msgs`` and ``msg_headers`` belong together row by row; a writer adds to one after the other, so that the
shorter one counts. Rows are messages. What is read of them are packets, decoded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hutch.errors import UnknownFormatError
from hutch.monitor.batch import Batch
from hutch.monitor.formats.decoding import Bytes, decode, find_bad
from hutch.monitor.formats.files import FileSource
from hutch.monitor.formats.opened_files import opened
from hutch.monitor.formats.packets import attributes, write_packets
from hutch.monitor.sources import BadRange, Source, SourceSpec

__all__ = ["Raw", "RawSource"]

_MESSAGES, _HEADS, _META = "msgs", "msg_headers", "meta"
_GROUPS = ("io_groups", "io_group")
"""How the field is called in files, and in their description."""
_MESSAGE_BYTES = 1024
"""About how large a message is."""


class RawSource(FileSource):
    """The messages of a file.

    Facts of its batches: the attributes of ``meta`` (``version``, ``created``, ``modified``,
    ``io_version``).
    """

    def check(self, file: Any) -> None:
        """Refuse a file that lacks messages or their io_groups."""
        heads = getattr(file.get(_HEADS), "dtype", None)
        messages = getattr(file.get(_MESSAGES), "dtype", None)
        missing = [] if messages is not None and messages.kind == "O" else ["'msgs' of variable length"]
        if heads is None or not any(name in (heads.names or ()) for name in _GROUPS):
            missing.append("'msg_headers' with a field 'io_groups'")
        if missing:
            msg = (
                f"{self.spec.address!r} has no {' and no '.join(missing)}, as raw files of LArPix 0.0 do. "
                "A plug-in of hutch.formats can read others"
            )
            raise UnknownFormatError(msg)

    def count(self, file: Any) -> int:
        """Return how many messages there are with their headers."""
        return int(min(file[_MESSAGES].shape[0], file[_HEADS].shape[0]))

    def head(self, file: Any) -> bytes:
        """Return when the file was made, and its first message."""
        made = repr(attributes(file, _META).get("created", "")).encode()
        return made + (file[_MESSAGES][0].tobytes() if self.count(file) else b"")

    def row_bytes(self, file: Any) -> int:
        """Return about how large a message is."""
        return _MESSAGE_BYTES

    def chunk_rows(self, file: Any) -> int:
        """Return how many messages a chunk has."""
        chunks = [file[name].chunks for name in (_MESSAGES, _HEADS)]
        return min((int(chunk[0]) for chunk in chunks if chunk), default=1)

    def take(self, file: Any, start: int, stop: int) -> Batch | BadRange:
        """Return the packets in messages up to the first that cannot be decoded, or that these cannot."""
        messages, groups = self._messages(file, start, stop)
        bad = find_bad(messages)
        count = len(messages)
        if count and bad[0]:
            until = int(np.argmin(bad)) if not bad.all() else count
            why = f"{'a message is' if until == 1 else f'{until:,} messages are'} no message of a PACMAN"
            return BadRange(start, start + until, why)
        if bad.any():
            count = int(np.argmax(bad))
        rows = decode(messages[:count], groups[:count])
        facts = attributes(file, _META)
        return Batch(self.spec.address, self.spec.format, start, rows, facts, span=count)

    def write(self, batch: Batch, group: Any) -> None:
        """Write the messages as the file holds them, and beside them the packets that they hold."""
        with opened(self.spec.address) as file:
            messages, groups = self._messages(file, batch.start, batch.stop)
            kinds = file[_MESSAGES].dtype, file[_HEADS].dtype
        meta = group.create_group(_META)
        for name, value in batch.facts.items():
            meta.attrs[name] = value
        rows = group.create_dataset(_MESSAGES, (len(messages),), kinds[0], maxshape=(None,))
        if messages:
            write_messages(rows, messages)
        heads = np.zeros(len(messages), kinds[1])
        heads[next(name for name in _GROUPS if name in (kinds[1].names or ()))] = groups
        group.create_dataset(_HEADS, data=heads, maxshape=(None,))
        write_packets(group, batch.columns, {**batch.facts, "version": "2.4"})

    def _messages(self, file: Any, start: int, stop: int) -> tuple[list[Bytes], Any]:
        heads = file[_HEADS][start:stop]
        groups = heads[next(name for name in _GROUPS if name in (heads.dtype.names or ()))]
        return list(file[_MESSAGES][start:stop]), groups


def write_messages(dataset: Any, messages: Sequence[Bytes]) -> None:
    """Fill a dataset of messages; h5py's own indexing takes those of one length for a table."""
    from h5py import h5s

    values = np.empty(len(messages), dataset.dtype)
    for number, message in enumerate(messages):
        values[number] = message
    dataset.id.write(h5s.ALL, h5s.ALL, values)


class Raw:
    """The format of files with messages."""

    name = "raw"
    suffixes: tuple[str, ...] = (".h5", ".hdf5")

    def fits(self, file: Any) -> bool:
        """Tell whether there are messages and their headers."""
        return all(hasattr(file.get(name), "dtype") for name in (_MESSAGES, _HEADS))

    @property
    def open(self) -> Callable[[SourceSpec], Source]:
        """What opens such a file."""
        return RawSource
