"""Query vectors to candidates: the nearest of a Milvus collection.

Address and token are read when a vector is asked for first, and anew after a connection broke: from MILVUS_URI and
MILVUS_TOKEN, or from the file that MILVUS_ADDRESS names – JSON with 'uri' and 'user', and a file `password` beside it,
which an embedded server writes and changes when it starts again. None of it is pickled, and no error tells the token.
"""

import json
import os
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from merlin.schema import ColumnSchema

from pipeline.core.errors import UserError
from pipeline.serving.operators.names import IDS, SCORES, VECTOR
from pipeline.serving.operators.passing import NewColumns, PassingOperator, column
from pipeline.serving.operators.variables import ADDRESS_VARIABLE, TOKEN_VARIABLE, URI_VARIABLE

_GONE = (1, 2, 3)  # pymilvus's codes of a connection that does not come about, or ended


class QueryMilvus(PassingOperator):
    """Give 'candidate_ids' (n, k) int64, -1 where there are fewer, and 'candidate_scores' (n, k) float32.

    Parameters
    ----------
    collection: its name on the server; `key` and `field` name its primary key and its vectors.
    top_k: candidates for each vector.
    params: search parameters of its index, such as {"ef": 120}.
    metric: as the index was built.
    filter: an expression over the collection's columns, '' for none.
    deadline_s: for one attempt; one that fails on the way is made once more, on a new connection. A whole number:
        pymilvus takes any other for no limit, and tries 75 times.

    """

    stage = "retrieve"

    def __init__(
        self,
        collection: str,
        top_k: int = 100,
        params: Mapping[str, Any] | None = None,
        metric: str = "IP",
        filter: str = "",
        key: str = "id",
        field: str = "vector",
        deadline_s: int = 2,
    ) -> None:
        super().__init__()
        self.collection, self.top_k, self.params, self.metric = collection, top_k, dict(params or {}), metric
        self.filter, self.key, self.field, self.deadline_s = filter, key, field, deadline_s
        self._alias = f"query-milvus-{uuid.uuid4().hex}"
        self._collection: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_collection": None}

    def added(self) -> list[ColumnSchema]:
        """Describe ids and scores."""
        return [column(IDS, np.int64, self.top_k), column(SCORES, np.float32, self.top_k)]

    def columns(self, given: Mapping[str, Any]) -> NewColumns:
        """Search for a batch."""
        hits = self._asked(np.asarray(given[VECTOR], np.float32))
        ids = np.full((len(hits), self.top_k), -1, np.int64)
        scores = np.zeros((len(hits), self.top_k), np.float32)
        for row, found in enumerate(hits):
            ids[row, : len(found)] = found.ids
            scores[row, : len(found)] = found.distances
        return {IDS: ids, SCORES: scores}

    def _asked(self, vectors: Any) -> Any:
        from grpc import RpcError
        from pymilvus import MilvusException

        for attempt in (1, 2, 3):
            try:
                return self._search(vectors)
            except MilvusException as error:
                text = str(error.message or error)
                if "not loaded" in text or "not fully loaded" in text:
                    self._load()
                    continue
                self._forget()
                if attempt == 2 or (error.code not in _GONE and "rpc" not in text.lower()):
                    raise UserError(self._sentence(text)) from None
            except (RpcError, OSError, ValueError) as error:  # grpc's own, of a deadline or a channel that was closed
                self._forget()
                if attempt == 2:
                    raise UserError(self._sentence(str(error))) from None
            time.sleep(0.05)
        raise UserError(self._sentence("the collection was not loaded in time"))

    def _load(self) -> None:
        from pymilvus import MilvusException

        try:
            self._connected().load(timeout=60)
        except MilvusException as error:
            raise UserError(self._sentence(str(error.message or error))) from None

    def _search(self, vectors: Any) -> Any:
        return self._connected().search(
            list(vectors),
            self.field,
            {"metric_type": self.metric, "params": self.params},
            self.top_k,
            expr=self.filter or None,
            timeout=self.deadline_s,
            consistency_level="Eventually",
        )

    def _connected(self) -> Any:
        """Give the collection on the process's one connection."""
        if self._collection is None:
            from pymilvus import Collection, connections

            uri, token = address()
            connections.connect(self._alias, uri=uri, token=token, timeout=self.deadline_s)
            self._collection = Collection(self.collection, using=self._alias, timeout=self.deadline_s)
        return self._collection

    def _forget(self) -> None:
        from pymilvus import connections

        self._collection = None
        connections.remove_connection(self._alias)

    def _sentence(self, text: str) -> str:
        uri, token = address()
        told = text
        for secret in filter(None, (token, token.partition(":")[2])):
            told = told.replace(secret, "…")
        return (
            f"Milvus at {uri} does not answer for '{self.collection}' ({told[:200]}): see that it runs, then ask again."
        )


def address() -> tuple[str, str]:
    """Read where Milvus listens, and the token; raise UserError where nothing says it."""
    if uri := os.environ.get(URI_VARIABLE):
        return uri, os.environ.get(TOKEN_VARIABLE, "")
    path = os.environ.get(ADDRESS_VARIABLE)
    if not path:
        raise UserError(f"Neither {URI_VARIABLE} nor {ADDRESS_VARIABLE} says where Milvus listens: set one of them.")
    try:
        about = json.loads(Path(path).read_text())
        return about["uri"], f"{about['user']}:{(Path(path).parent / 'password').read_text().strip()}"
    except (OSError, KeyError, json.JSONDecodeError):
        raise UserError("Milvus is not running, or is just starting: ask again in a moment.") from None
