"""The exact neighbours that recall is measured against, computed once for the same vectors and queries."""

import hashlib
import math
import os
from pathlib import Path

import numpy as np

from pipeline.core.arrays import Floats, Rows
from pipeline.core.progress import Progress, silent
from pipeline.search.exact.blocked import Arrays, nearest, numpy_arrays
from pipeline.search.libraries import gpu_exact
from pipeline.store.workspace import Workspace

KEPT = 40  # sets of neighbours in a workspace
_HASHED = 1 << 18  # rows at once
_REVISION = 2  # of how they are found: what was kept before is computed again
_Z = 1.96  # of a normal distribution: 95 %


def truth(
    workspace: Workspace, vectors: Floats, queries: Floats, k: int, metric: str, progress: Progress = silent
) -> Rows:
    """Give the rows (q, min(k, n)) of each query's exact nearest, best first, from the workspace where it has them."""
    k = min(k, len(vectors))
    folder = workspace.root / "truth"
    folder.mkdir(exist_ok=True)
    digest = _digest(vectors, queries, metric)
    known = [path for path in folder.glob(f"{digest}-*.npy") if int(path.stem.rsplit("-", 1)[1]) >= k]
    if known:
        os.utime(known[0])
        return np.asarray(np.load(known[0])[:, :k], np.int64)
    arrays = _arrays()
    rows, _ = nearest(
        arrays, arrays.put(vectors), queries, k, metric, None, progress
    )  # NumPy's put keeps a mapped file
    beside = folder / f".{digest}.{os.getpid()}.npy"
    np.save(beside, rows.astype(np.int32))
    beside.replace(folder / f"{digest}-{k}.npy")
    _forget(folder)
    return rows


def recall_with_interval(shares: Floats, population: int) -> tuple[float, float, float]:
    """Give the mean of (q) recalls and its 95 % interval, where they are a sample of `population` queries.

    Normal approximation with the correction for a finite population: nothing is uncertain where all were asked.
    """
    count = len(shares)
    mean = float(np.mean(shares))
    if count >= population or count < 2:
        return mean, mean, mean
    left = math.sqrt((population - count) / (population - 1))
    error = _Z * float(np.std(shares, ddof=1)) / math.sqrt(count) * left
    return mean, max(0.0, mean - error), min(1.0, mean + error)


def _arrays() -> Arrays:
    return gpu_exact.gpu_arrays() if gpu_exact.GPU_EXACT.packages() else numpy_arrays()


def _digest(vectors: Floats, queries: Floats, metric: str) -> str:
    found = hashlib.sha256(f"{_REVISION} {metric} {vectors.shape} {queries.shape}".encode())
    for array in (vectors, queries):
        for low in range(0, len(array), _HASHED):
            found.update(np.ascontiguousarray(array[low : low + _HASHED], np.float32).data)
    return found.hexdigest()[:24]


def _forget(folder: Path) -> None:
    """Keep the sets that were used last."""
    for old in sorted(folder.glob("[!.]*.npy"), key=lambda path: path.stat().st_mtime)[:-KEPT]:
        old.unlink(missing_ok=True)
