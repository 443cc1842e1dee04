"""Order candidates by drawing from the softmax of their scores, without replacement.

Merlin's own SoftmaxSampling takes a batch for one list, takes no seed, and divides by the sum of the scores, which is
NaN where that is negative.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from merlin.schema import ColumnSchema

from pipeline.serving.operators.names import CODE, FINGERPRINT, KEPT, ORDER, ORDERED_IDS, ORDERED_SCORES
from pipeline.serving.operators.passing import NewColumns, PassingOperator, column
from pipeline.serving.stages.sampling import softmax_order, streams


class SoftmaxSampling(PassingOperator):
    """Give 'ordered_ids' and 'ordered_scores' (n, k), and 'order' (n, k), the columns that they stood in.

    'fingerprint' (n,) is a number of what answered, so that whoever reads the answer can see that it is what was asked.
    Reads the column `scores`, 'kept_ids' (-1 for what is no candidate, which comes last), and a request's 'temperature'
    (0 sorts by score alone) and 'seed'.
    """

    stage = "order"

    def __init__(self, top_k: int, scores: str, fingerprint: int = 0) -> None:
        super().__init__()
        self.top_k, self.scores, self.fingerprint = top_k, scores, fingerprint

    def added(self) -> list[ColumnSchema]:
        """Describe ids, scores and order."""
        return [
            column(ORDERED_IDS, np.int64, self.top_k),
            column(ORDERED_SCORES, np.float32, self.top_k),
            column(ORDER, np.int64, self.top_k),
            column(FINGERPRINT, np.int64),
        ]

    def columns(self, given: Mapping[str, Any]) -> NewColumns:
        """Order a batch."""
        codes = given[CODE].view(np.uint64)
        scores = given[self.scores]
        order = softmax_order(given[KEPT], scores, given["temperature"], streams(given["seed"], codes))
        return {
            ORDERED_IDS: np.take_along_axis(given[KEPT], order, axis=1),
            ORDERED_SCORES: np.take_along_axis(scores, order, axis=1),
            ORDER: order,
            FINGERPRINT: np.full(len(order), self.fingerprint, np.int64),
        }
