"""A query as a person writes it, and the request that it becomes at the door: checked once, read by nobody again."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pipeline.core.arrays import Floats
from pipeline.core.errors import UserError
from pipeline.indexes.filters import Filter, read_filter
from pipeline.indexes.known import KnownItems
from pipeline.indexes.registry import of_another_training, used_search
from pipeline.search.catalogue import index_type
from pipeline.search.params import Values, parse_params, raised, validate_search
from pipeline.store.workspace import Workspace


@dataclass(frozen=True)
class Query:
    """What a person can choose of a query."""

    k: int = 10
    index: str | None = None
    search: str = ""  # search parameters, e.g. 'ef=120'
    exclude_seen: bool = False
    filter: str = ""  # an expression over the index's columns, e.g. "price < 40 and category == 'skirts'"


@dataclass(frozen=True, eq=False)
class Request:
    """A query that holds: what is asked, of which index, and what answers through it."""

    history: tuple[str, ...]
    """Clicked items, oldest first."""
    clicks: tuple[int, ...]
    """Those of them that the model knows, as rows of its catalogue."""
    k: int
    fetch: int
    """Neighbours to ask for: k, and as many as may have to be left out."""
    index: dict[str, Any]
    """As the registry lists it."""
    known: KnownItems
    search: Values
    """Validated for `fetch`."""
    filter: Filter | None
    seen: frozenset[str]
    """Items to leave out."""
    outdated: bool
    """Whether the index holds vectors of another training than the one in use."""

    @cached_property
    def vector(self) -> Floats:
        """Encode the clicks to (1, dim), once."""
        return self.known.encode_rows(self.clicks)

    @property
    def where(self) -> str:
        """Give the filter as Milvus reads it, '' where everything is let through."""
        return self.filter.where if self.filter else ""

    @property
    def by_row(self) -> bool:
        """Tell whether a key says nothing of an item: it came after the build, or no catalogue is kept since then."""
        not_kept = self.index["training"] is None and self.outdated
        return bool(self.index["changed"] or (not_kept and self.index.get("columns")))


def checked(
    workspace: Workspace, model: str, index: dict[str, Any], known: KnownItems, history: Sequence[str], query: Query
) -> Request:
    """Check a query of `model` before any server is asked; raise UserError for what cannot be answered."""
    check_index(model, index, known)
    size = max(len(known.rows), index["count"] or 0) if index["changed"] else len(known.rows)
    if not 1 <= query.k <= size:
        raise UserError(f"k {query.k} is out of range: choose 1 to {size:,}, the size of the catalogue.")
    where = read_filter(index, query.filter) if query.filter else None
    seen = frozenset(history) if query.exclude_seen else frozenset()
    there = sum(1 for item in seen if index["changed"] or item in known.rows)
    fetch = min(query.k + there, size)
    search = search_params(workspace, index, query.search, fetch)
    clicks = known.rows_of(history)
    outdated = of_another_training(workspace, index)
    return Request(tuple(history), clicks, query.k, fetch, index, known, search, where, seen, outdated)


def check_index(model: str, index: dict[str, Any], known: KnownItems) -> None:
    """Raise UserError for an index that a model cannot answer through."""
    if index["vectors"] != "items" or index["model"] != model:
        raise UserError(f"Index '{index['name']}' does not hold the items of {model}: choose one that does.")
    dim = known.encoder.vectors.shape[1]
    if index["dim"] != dim:
        raise UserError(
            f"Index '{index['name']}' holds vectors of {index['dim']} numbers, and the training of {model} "
            f"in use makes {dim}: refresh it on the Train page, or with `run --model {model}`."
        )


def search_params(workspace: Workspace, index: dict[str, Any], given: str, fetch: int) -> Values:
    """Give what is asked with: the query's own parameters, else those that the index is in use with, made to fit."""
    kind = index_type(index["index"])
    if given:
        return validate_search(kind, index["params"], parse_params(given), fetch)
    served = parse_params(used_search(workspace, index["name"]))
    return validate_search(kind, index["params"], raised(kind, served, fetch), fetch)
