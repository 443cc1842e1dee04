"""The engine over a Milvus server: vectors in, arrays out, errors as sentences."""

import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import Any

from pymilvus import Collection, CollectionSchema, DataType, FieldSchema, utility

from pipeline.core.arrays import Floats, Ints
from pipeline.core.columns import ID, MOST_TEXT_BYTES, VECTOR
from pipeline.core.errors import NotLoaded, UserError
from pipeline.core.progress import Progress, silent
from pipeline.search.engine import Built, Column, Found, Scalar
from pipeline.search.milvus import insertion, searching
from pipeline.search.milvus.connection import TIMEOUT_S, Connection
from pipeline.search.params import Values

_FLUSH_S = 120
_SEARCH_S = 120
_LOAD_S = 60  # until the server has heard that it shall load
_LOADED = {"loading_progress": "100%"}
_DELETED = 10_000  # ids a request: they travel as text
_TYPES: dict[Scalar, dict[str, Any]] = {
    "text": {"dtype": DataType.VARCHAR, "max_length": MOST_TEXT_BYTES},
    "int": {"dtype": DataType.INT64},
    "float": {"dtype": DataType.DOUBLE},
}


class MilvusEngine(Connection):
    """Create, fill, index, search and drop collections on one server."""

    def create(self, name: str, dim: int, metric: str, scalars: Mapping[str, Scalar] | None = None) -> None:
        """Make an empty collection: an int64 key, a vector, and scalar columns by name and type."""
        fields = [
            FieldSchema(ID, DataType.INT64, is_primary=True),
            FieldSchema(VECTOR, DataType.FLOAT_VECTOR, dim=dim),
            *(FieldSchema(column, **_TYPES[kind]) for column, kind in (scalars or {}).items()),
        ]
        self._guard(name)
        with self._sentences(name):
            Collection(name, CollectionSchema(fields, description=f"metric {metric}"), using=self.alias, num_shards=1)

    def insert(
        self,
        name: str,
        ids: Ints,
        vectors: Floats,
        scalars: Mapping[str, Column],
        progress: Progress = silent,
        start: int = 0,
    ) -> None:
        """Insert the rows from `start` on, in their order, and flush; vectors: (n, dim) float32.

        What was cut off goes on with the same columns and `start=flushed(name)`.
        """
        self._guard(name)
        with self._sentences(name, "inserting vectors"):
            insertion.send(self._stub(), name, ids, vectors, scalars, progress, start)
            self._collection(name).flush(timeout=_FLUSH_S)

    def flushed(self, name: str) -> int:
        """Flush, and count the rows on disk, deleted ones too; an insert leaves its first ones there."""
        with self._sentences(name):
            self._own(name).flush(timeout=_FLUSH_S)
            return int(self._collection(name).num_entities)

    def upsert(
        self,
        name: str,
        ids: Ints,
        vectors: Floats,
        scalars: Mapping[str, Column],
        progress: Progress = silent,
    ) -> None:
        """Put rows in, in place of those that have their ids, without a new index; searches see them on return."""
        self._guard(name)
        with self._sentences(name):
            insertion.send(self._stub(), name, ids, vectors, scalars, progress, upsert=True)
        self._settle(name, ids)

    def delete(self, name: str, ids: Ints) -> None:
        """Take rows out by id, without a new index; searches see none of them on return."""
        with self._sentences(name):
            for low in range(0, len(ids), _DELETED):
                self._own(name).delete(f"{ID} in {ids[low : low + _DELETED].tolist()}", timeout=60)
        self._settle(name, ids)

    def count(self, name: str, filter: str = "", wait: bool = True) -> int:
        """Count the rows of a loaded collection that `filter` lets through, deleted ones left out.

        With `wait` every change so far is counted, which takes some 200 ms; without it, those that have settled.
        """
        return self._counted(name, filter, wait)

    def _settle(self, name: str, ids: Ints) -> None:
        """Wait until searches see every change so far, some 200 ms; what is not loaded sees it when it is.

        Searches wait for nothing. A "strong" query waits until its node has taken in all that came before it, and the
        searches after it find that node; one of a single id costs no more than the waiting.
        """
        if len(ids):
            with contextlib.suppress(NotLoaded):
                self._counted(name, f"{ID} == {ids[0]}")

    def _counted(self, name: str, expression: str, wait: bool = True) -> int:
        with self._sentences(name):
            rows = self._collection(name).query(
                expression, output_fields=["count(*)"], consistency_level=_level(wait), timeout=TIMEOUT_S
            )
            return int(rows[0]["count(*)"])

    def build(
        self, name: str, index: str, params: Values, metric: str, progress: Progress = silent, limit_s: float = 1800
    ) -> Built:
        """Build the index and wait until the server says that it is finished."""
        started = time.monotonic()
        self.declare(name, index, params, metric)
        with self._sentences(name, f"building {index}"):
            while True:
                report = utility.index_building_progress(name, using=self.alias, timeout=TIMEOUT_S)
                rows, indexed = int(report["total_rows"]), int(report["indexed_rows"])
                progress(indexed, max(rows, 1), f"building {index}: {indexed:,} of {rows:,} rows")
                if report.get("state") in ("Finished", 3) or (rows and indexed >= rows):
                    break
                if report.get("state") == "Failed" or time.monotonic() - started > limit_s:
                    raise UserError(f"Building {index} did not end well ({report}): restart the server and try again.")
                time.sleep(0.1)
        return Built(round(time.monotonic() - started, 3), rows, indexed, "Finished")

    def declare(self, name: str, index: str, params: Values, metric: str) -> None:
        """Say which index the collection shall have; the server begins to build it, or refuses its type."""
        spec = {"index_type": index, "metric_type": metric, "params": dict(params)}
        with self._sentences(name, f"building {index}"):
            self._own(name).create_index(
                VECTOR, spec, timeout=TIMEOUT_S, sync=False
            )  # else it waits, silent, to the end

    def undeclare(self, name: str) -> None:
        """Take a collection's index away; a build that has begun goes on in the server."""
        with self._sentences(name):
            self._own(name).drop_index(timeout=TIMEOUT_S)

    def load(self, name: str, progress: Progress = silent, limit_s: float = 1800) -> None:
        """Load a collection into memory and wait until the server says that it is there."""
        started = time.monotonic()
        with self._sentences(name, "loading"):
            collection = self._own(name)
            collection.load(timeout=_LOAD_S, _async=True)
            while (told := utility.loading_progress(name, using=self.alias, timeout=TIMEOUT_S)) != _LOADED:
                progress(0, 1, f"loading: {told['loading_progress']} of its parts")
                if time.monotonic() - started > limit_s:
                    raise UserError(f"Loading '{name}' did not end: free memory, or restart the server and try again.")
                time.sleep(0.05)

    def release(self, name: str) -> None:
        """Take a collection out of memory."""
        with self._sentences(name):
            self._own(name).release(timeout=60)

    def drop(self, name: str) -> None:
        """Remove a collection; nothing happens where it does not exist."""
        self._guard(name)
        self._known.pop(name, None)
        with self._sentences(name):
            utility.drop_collection(name, timeout=60, using=self.alias)

    def describe(self, name: str) -> dict[str, Any]:
        """Report rows, index type, parameters, indexed rows and whether it is loaded, as the server tells it."""
        with self._sentences(name):
            collection = self._collection(name)
            spec = collection.indexes[0].params if collection.indexes else {}
            progress = utility.index_building_progress(name, using=self.alias) if collection.indexes else {}
            return {
                "rows": collection.num_entities,
                "index": spec.get("index_type"),
                "metric": spec.get("metric_type"),
                "params": spec.get("params", {}),
                "indexed_rows": int(progress.get("indexed_rows", 0)),
                "loaded": str(utility.load_state(name, using=self.alias)) == "Loaded",
            }

    def schema(self, name: str) -> dict[str, Any]:
        """Report the fields of any collection, ours or not: {fields, key, vector, dim}."""
        with self._sentences(name):
            fields = self._collection(name).schema.fields
            vector = next((f for f in fields if f.dtype == DataType.FLOAT_VECTOR), None)
            return {
                "fields": [{"name": f.name, "type": f.dtype.name} for f in fields],
                "key": next(f.name for f in fields if f.is_primary),
                "vector": vector.name if vector else None,
                "dim": int(vector.params["dim"]) if vector else 0,
            }

    def rows(
        self, name: str, filter: str, columns: list[str], most: int | None = None, wait: bool = False
    ) -> list[dict[str, Any]]:
        """Read up to `most` rows, or all, that `filter` lets through, of a loaded collection.

        With `wait` they are as every change so far has left them.
        """
        with self._sentences(name):
            found = self._collection(name).query(
                filter, output_fields=columns, limit=most, timeout=TIMEOUT_S, consistency_level=_level(wait)
            )
            return list(found)

    def all_rows(self, name: str, columns: list[str], batch: int) -> Iterator[list[dict[str, Any]]]:
        """Read every row of a loaded collection, `batch` at a time."""
        with self._sentences(name):
            pages = self._collection(name).query_iterator(batch_size=batch, output_fields=columns, timeout=_FLUSH_S)
            try:
                while rows := pages.next():
                    yield rows
            finally:
                pages.close()

    def search(
        self,
        name: str,
        queries: Floats,
        top_k: int,
        params: Values,
        filter: str = "",
        field: str = VECTOR,
    ) -> Found:
        """Search (q, dim) float32 queries for their `top_k` nearest.

        Collections are flushed and loaded before they are searched, so "eventually" sees every row; "strong" would wait
        for the next time tick, some 400 ms.
        """
        with self._sentences(name):
            self._collection(name)
            request = searching.message(name, queries, field, top_k, params, filter)
            limit_s = min(TIMEOUT_S + len(queries), _SEARCH_S)  # many, over millions of vectors, take their time
            return searching.read(searching.send(self._stub(), request, timeout=limit_s), len(queries), top_k)


def _level(wait: bool) -> str:
    return "Strong" if wait else "Eventually"
