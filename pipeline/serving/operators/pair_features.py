"""Features of a session and each of its candidates, for a ranker."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from merlin.schema import ColumnSchema

from pipeline.indexes.known import KnownItems
from pipeline.models.dlrm.pairs import CATEGORICAL, CONTINUOUS, PairTables
from pipeline.serving.operators.artifacts import RANKER, load_known
from pipeline.serving.operators.names import IDS, SCORES
from pipeline.serving.operators.passing import NewColumns, PassingOperator, column
from pipeline.serving.stages.histories import Requests
from pipeline.serving.stages.scoring import ITEM_COLUMNS, about, candidates


class PairFeatures(PassingOperator):
    """Give 'categorical' (n, k, 4) int64 and 'continuous' (n, k, 13) float32, as the ranker was trained with."""

    stage = "pair features"
    dropped = ("history", *ITEM_COLUMNS)

    def __init__(self, model: str, pairs: PairTables, top_k: int) -> None:
        super().__init__()
        self.model, self.top_k, self.min_clicks = model, top_k, pairs.min_clicks
        self._pairs = pairs

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_pairs", "_known")}

    def save_artifacts(self, artifact_path: str | None = None) -> None:
        """Write what pairs are looked up in."""
        folder = Path(str(artifact_path)) / RANKER
        folder.mkdir(exist_ok=True)
        self._pairs.save(folder)

    def load(self, folder: Path) -> None:
        """Read it, and the catalogue."""
        self._known: KnownItems = load_known(folder, self.model)
        self._pairs = PairTables.load(folder / RANKER, self._known.catalogue, self.min_clicks)

    def added(self) -> list[ColumnSchema]:
        """Describe both."""
        return [
            column("categorical", np.int64, self.top_k, len(CATEGORICAL)),
            column("continuous", np.float32, self.top_k, len(CONTINUOUS)),
        ]

    def columns(self, given: Mapping[str, Any]) -> NewColumns:
        """Compute a batch."""
        categories = self._known.categories
        histories = Requests(given["history__values"], given["history__offsets"]).known(categories)
        found = candidates(given[IDS], given[SCORES], len(categories))
        known = about(self._pairs, found, given)
        return {
            "categorical": np.asarray(self._pairs.categorical(histories, found, known), np.int64),
            "continuous": self._pairs.continuous(histories, found, known),
        }
