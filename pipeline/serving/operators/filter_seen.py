"""Drop what a session has clicked, and what came after training."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from merlin.schema import ColumnSchema

from pipeline.serving.operators.names import IDS, KEPT, SCORES
from pipeline.serving.operators.passing import NewColumns, PassingOperator, column
from pipeline.serving.stages.histories import Requests
from pipeline.serving.stages.scoring import candidates, kept


class FilterSeen(PassingOperator):
    """Give 'kept_ids' (n, k) int64: 'candidate_ids', -1 for what is in 'history' or not in a catalogue of `items`."""

    stage = "filter"

    def __init__(self, items: int, top_k: int) -> None:
        super().__init__()
        self.items, self.top_k = items, top_k

    def added(self) -> list[ColumnSchema]:
        """Describe the ids."""
        return [column(KEPT, np.int64, self.top_k)]

    def columns(self, given: Mapping[str, Any]) -> NewColumns:
        """Filter a batch."""
        ids = given[IDS]
        requests = Requests(given["history__values"], given["history__offsets"])
        return {KEPT: kept(ids, candidates(ids, given[SCORES], self.items), requests.seen(ids))}
