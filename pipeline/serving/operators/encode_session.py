"""A session's clicks to a query vector: an exported encoder in NumPy, or clicks laid out for a tower in TensorFlow."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from merlin.schema import ColumnSchema

from pipeline.indexes.known import KnownItems
from pipeline.serving.operators.artifacts import load_known, save_encoder
from pipeline.serving.operators.names import CODE, VECTOR
from pipeline.serving.operators.passing import NewColumns, PassingOperator, column
from pipeline.serving.stages.histories import Requests
from pipeline.sessions.histories import MAX_HISTORY, Histories


class _OfHistories(PassingOperator):
    """Read the known clicks of 'history'."""

    stage = "encode"
    dropped = ("history",)  # taken from the request again where it is needed: no tower has to pass it on

    def __init__(self, model: str, source: Path) -> None:
        super().__init__()
        self.model, self._source = model, source

    def save_artifacts(self, artifact_path: str | None = None) -> None:
        """Copy the model's files beside the ensemble."""
        save_encoder(self._source, Path(str(artifact_path)))

    def load(self, folder: Path) -> None:
        """Read encoder and catalogue."""
        self._known: KnownItems = load_known(folder, self.model)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_known", "_source")}

    def histories(self, given: Mapping[str, Any]) -> Histories:
        """Give the last clicks that the model knows."""
        return Requests(given["history__values"], given["history__offsets"]).known(self._known.categories)


class EncodeSession(_OfHistories):
    """Give 'query_vector' (n, dim) float32 and 'history_code' (n,), a number for each history."""

    def __init__(self, model: str, source: Path, dim: int) -> None:
        super().__init__(model, source)
        self.dim = dim

    def added(self) -> list[ColumnSchema]:
        """Describe vector and code."""
        return [column(VECTOR, np.float32, self.dim), column(CODE, np.int64)]

    def columns(self, given: Mapping[str, Any]) -> NewColumns:
        """Encode a batch."""
        histories = self.histories(given)
        vectors = self._known.encoder.encode(histories)
        return {VECTOR: np.asarray(vectors, np.float32), CODE: histories.codes().view(np.int64)}


class LayOutClicks(_OfHistories):
    """Give 'clicked_items' and 'clicked_categories' (n, MAX_HISTORY) int64, 0 where there are fewer, and the code."""

    def added(self) -> list[ColumnSchema]:
        """Describe both and the code."""
        clicks = [column(name, np.int64, MAX_HISTORY) for name in ("clicked_items", "clicked_categories")]
        return [*clicks, column(CODE, np.int64)]

    def columns(self, given: Mapping[str, Any]) -> NewColumns:
        """Lay a batch out."""
        histories = self.histories(given)
        rows, offsets = histories.ragged()
        lengths = np.diff(offsets)
        owner = np.repeat(np.arange(len(lengths)), lengths)
        place = np.arange(len(rows)) - np.repeat(offsets[:-1], lengths)
        laid = np.zeros((2, len(lengths), MAX_HISTORY), np.int64)
        laid[0, owner, place], laid[1, owner, place] = histories.items[rows], histories.categories[rows]
        return {"clicked_items": laid[0], "clicked_categories": laid[1], CODE: histories.codes().view(np.int64)}
