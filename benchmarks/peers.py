"""The peers, each set up as its own documentation says, and recording by them."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.documents import KEYS, Document

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["pyarrow_events", "pyarrow_pages", "suitcase_jsonl", "suitcase_msgpack", "tiled"]


@contextmanager
def tiled(folder: Path, readable: Path | None = None) -> Iterator[Any]:
    """Serve a Tiled catalog in this process, and yield a client of it.

    Tables go to SQLite, which TiledWriter fills a little faster than DuckDB.

    :param readable: where detectors' files are that it may read.
    """
    warnings.filterwarnings("ignore", module="tiled|starlette")
    from tiled.client import Context, from_context

    from benchmarks.servers import KEY, genuine_app

    logging.getLogger("tiled.server.app").setLevel(logging.WARNING)
    with Context.from_app(genuine_app(folder, readable), api_key=KEY) as context:
        yield from_context(context)


def suitcase_jsonl(documents: Sequence[Document], folder: Path) -> None:
    """Write a run as JSON lines."""
    from suitcase.jsonl import Serializer

    with Serializer(folder) as serializer:
        for name, document in documents:
            serializer(name, document)


def suitcase_msgpack(documents: Sequence[Document], folder: Path) -> None:
    """Write a run as msgpack."""
    from suitcase.msgpack import Serializer

    with Serializer(folder) as serializer:
        for name, document in documents:
            serializer(name, document)


def pyarrow_events(documents: Sequence[Document], folder: Path, rows: int = 1000) -> None:
    """Write the columns of single events straight to an Arrow file, in batches."""
    import pyarrow as pa

    events = [document for name, document in documents if name == "event"]
    with (folder / "events.arrow").open("wb") as file:
        batch = _batch_of_events(events[:rows])
        with pa.ipc.new_file(file, batch.schema) as sink:
            for begin in range(0, len(events), rows):
                sink.write_batch(_batch_of_events(events[begin : begin + rows]))
        file.flush()
        os.fsync(file.fileno())


def pyarrow_pages(documents: Sequence[Document], folder: Path) -> None:
    """Write the columns of pages straight to a Parquet file, a row group each."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    pages = [document for name, document in documents if name == "event_page"]
    schema = _batch_of_page(pages[0]).schema
    with (folder / "events.parquet").open("wb") as file:
        with pq.ParquetWriter(file, schema) as sink:
            for page in pages:
                sink.write_table(pa.Table.from_batches([_batch_of_page(page)]))
        file.flush()
        os.fsync(file.fileno())


def _batch_of_events(events: list[dict[str, Any]]) -> pa.RecordBatch:
    import pyarrow as pa

    columns = {name: pa.array([event[name] for event in events]) for name in ("uid", "seq_num", "time")}
    for kind in ("data", "timestamps"):
        rows = [event[kind] for event in events]
        columns.update({f"{kind}.{key}": pa.array([row[key] for row in rows]) for key in rows[0]})
    return pa.RecordBatch.from_pydict(columns)


def _batch_of_page(page: dict[str, Any]) -> pa.RecordBatch:
    import pyarrow as pa

    columns = {name: pa.array(page[name]) for name in ("uid", "seq_num", "time")}
    for kind in ("data", "timestamps"):
        columns.update({f"{kind}.{key}": pa.array(page[kind][key]) for key in KEYS})
    return pa.RecordBatch.from_pydict(columns)
