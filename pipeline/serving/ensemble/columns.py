"""A request and an answer as the ensemble's columns, the same in Merlin's runtime and over Triton's wire."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.core.arrays import Floats, Ints
from pipeline.serving.features.tables import SESSION_FEATURES
from pipeline.serving.operators.names import FINGERPRINT, IDS, KEPT, ORDER, RANKED, SCORES
from pipeline.serving.stages.answer import STAGES, Answers
from pipeline.serving.stages.histories import Requests

OUTPUTS = (IDS, SCORES, KEPT, ORDER, FINGERPRINT, *SESSION_FEATURES)
# a stage, and the columns whose milliseconds it took: its own, and the wait before the next for one of Merlin's own
_TIMES = {
    "session features": ("ms_session_features",),
    "encode": ("ms_encode", "wait_retrieve"),
    "retrieve": ("ms_retrieve",),
    "filter": ("ms_filter",),
    "item features": ("ms_item_features",),
    "score": ("ms_pair_features", "wait_order"),
    "order": ("ms_order",),
}


def outputs(ranked: bool) -> list[str]:
    """List the columns to ask for."""
    absent = set() if ranked else {"item features", "score"}
    times = [name for stage, names in _TIMES.items() if stage not in absent for name in names]
    return [*OUTPUTS, *([RANKED] if ranked else []), *times]


def request(keys: Ints, requests: Requests, temperature: Floats, seeds: Ints) -> dict[str, Any]:
    """Write a request of n sessions."""
    return {
        "session_key": keys.astype(np.int64),
        "history__values": requests.values.astype(np.int64),
        "history__offsets": requests.offsets.astype(np.int32),
        "temperature": temperature.astype(np.float32),
        "seed": seeds.astype(np.int64),
    }


def answers(found: Mapping[str, Any], total_ms: float) -> Answers:
    """Read an answer; total_ms: what it took as a whole, of which the stages are parts."""

    def spent(names: tuple[str, ...]) -> float:
        return sum(float(found[name].reshape(-1)[0]) for name in names if name in found)

    return Answers(
        found[IDS],
        found[SCORES],
        found[KEPT],
        found.get(RANKED, found[SCORES]),
        found[ORDER],
        {name: found[name].reshape(-1) for name in SESSION_FEATURES},
        {"total": total_ms, **{stage: spent(_TIMES[stage]) for stage in STAGES}},
    )
