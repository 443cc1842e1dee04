"""A connection to a Milvus server: who may change what, and its errors as sentences."""

import contextlib
import logging
import uuid
import weakref
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from pymilvus import Collection, MilvusException, connections, utility
from pymilvus.exceptions import ErrorCode, SchemaNotReadyException

from pipeline.core.errors import Cancelled, NotLoaded, UserError
from pipeline.search.engine import Endpoint
from pipeline.search.milvus.refusals import Meaning, meaning, refusal_sentence

logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # its errors become sentences here

TIMEOUT_S = 10  # a whole number: pymilvus takes any other for none, and retries for four minutes


class Connection:
    """A connection that only reads, but for collections of its own; it ends with `close`, or when nobody has it."""

    def __init__(self, endpoint: Endpoint, prefix: str = "") -> None:
        """Connect; on a server that others use too, only collections whose name begins with `prefix` are changed."""
        self.endpoint = endpoint
        self.prefix = prefix
        self.alias = f"engine-{uuid.uuid4().hex[:8]}"
        self._known: dict[str, Collection] = {}  # looking one up costs two requests
        import_module("scipy.sparse")  # pymilvus would do it within the first search: 200 ms that no query should wait
        with self._sentences():
            connections.connect(self.alias, uri=endpoint.uri, token=endpoint.token, timeout=TIMEOUT_S)
        self._closing = weakref.finalize(self, connections.remove_connection, self.alias)

    def close(self) -> None:
        """Close the connection."""
        self._closing()

    @contextlib.contextmanager
    def _sentences(self, collection: str = "", doing: str = "") -> Iterator[None]:
        """Turn whatever pymilvus or gRPC raises into a sentence with the way out; `doing` names a long work."""
        try:
            yield
        except Exception as error:
            if type(error).__module__.split(".")[0] not in ("grpc", "pymilvus"):
                raise
            if _is_cancelled(error):
                raise Cancelled from error
            meant, text = meaning(error)
            kind = NotLoaded if meant is Meaning.NOT_LOADED else UserError
            raise kind(refusal_sentence(self.endpoint.uri, collection, meant, text, doing)) from error

    def _own(self, name: str) -> Collection:
        """Look a collection up that may be changed."""
        self._guard(name)
        return self._collection(name)

    def _guard(self, name: str) -> None:
        if not name.startswith(self.prefix):
            raise UserError(
                f"Collection '{name}' at {self.endpoint.uri} was not made here, so it is only read: to index its "
                "vectors again, import them from a file."
            )

    def _collection(self, name: str) -> Collection:
        if name not in self._known:
            try:
                self._known[name] = Collection(name, using=self.alias)
            except SchemaNotReadyException as error:  # pymilvus would make it, had it a schema
                raise MilvusException(ErrorCode.COLLECTION_NOT_FOUND, error.message) from error
        return self._known[name]

    def _stub(self) -> Any:
        """Give the calls of the connection as gRPC has them, with its token: pymilvus has no public way."""
        return connections._fetch_handler(self.alias)._stub

    def version(self) -> str:
        """Ask the server for its version."""
        with self._sentences():
            return str(utility.get_server_version(using=self.alias, timeout=TIMEOUT_S)).lstrip("v")

    def collections(self) -> list[str]:
        """List the collections on the server, others' too."""
        with self._sentences():
            return sorted(utility.list_collections(timeout=TIMEOUT_S, using=self.alias))


def _is_cancelled(error: BaseException | None) -> bool:
    """Tell whether a cancel came up within a call: pymilvus takes it for an error of its own and wraps it."""
    return error is not None and (isinstance(error, Cancelled) or _is_cancelled(error.__context__))
