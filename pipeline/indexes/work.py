"""What an index is made of, as pieces of work: filling a collection, building, loading, comparing."""

from collections.abc import Callable

from pipeline.jobs.pieces import Piece
from pipeline.search.embedded import abandoned
from pipeline.search.embedded.cpu import cpu_seconds, tree
from pipeline.search.params import IndexType, Values, estimate
from pipeline.store.workspace import Workspace

_NUMBERS = 4e6  # of float32, inserted and flushed a second
_AROUND_S = 2.5  # an insertion, a load or a comparison of next to nothing


def of_build(index: IndexType, params: Values, rows: int, dim: int, embedded: bool = True) -> list[Piece]:
    """List what it takes to make an index of (rows, dim) vectors: filling, building, loading, comparing."""
    where = "" if embedded else " elsewhere"
    cores = 1.0 if index.family == "graph" else 2.0  # Milvus 2.3 builds a graph on one
    stored_s = _AROUND_S + rows * dim / _NUMBERS
    return [
        Piece(f"insert{where}", stored_s),
        Piece(f"build {index.name}{where}", estimate(index, params, dim, rows).build_s, cores=cores),
        Piece(f"load{where}", stored_s),
        Piece(f"compare{where}", stored_s),
    ]


def cpu_of(workspace: Workspace) -> Callable[[], float | None]:
    """Give what tells the CPU seconds that the embedded server has used."""
    pid, _ = abandoned.server(workspace)
    return lambda: cpu_seconds(tree([pid])) if pid else None
