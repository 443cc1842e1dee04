"""An answer of several stages: what each stage made of the candidates, for a batch, and as a person reads it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.core.arrays import Floats, Ints
from pipeline.core.columns import FIRST_IDX, RANK, SCORE
from pipeline.indexes.known import KnownItems

STAGES = ("session features", "encode", "retrieve", "filter", "item features", "score", "order")


@dataclass(frozen=True, eq=False)
class Answers:
    """What the stages made of n requests with k candidates each; every way of answering gives these."""

    keys: Ints
    """(n, k) keys as retrieved, best first, -1 where there are fewer."""
    retrieved: Floats
    """(n, k) retrieval's scores."""
    kept: Ints
    """(n, k) keys, -1 for what was filtered out."""
    scores: Floats
    """(n, k) the ranker's scores, or retrieval's where there is none."""
    order: Ints
    """(n, k) columns in the order of the answer; what was filtered out comes last."""
    sessions: Mapping[str, Floats]
    """{feature: (n,)} of the sessions."""
    latency_ms: Mapping[str, float]
    """{stage: milliseconds} of the whole batch."""


def written(answers: Answers, row: int, k: int, history: Sequence[str], known: KnownItems, via: str) -> dict[str, Any]:
    """Write one request's answer: {history, items, latency_ms, session, via}; k items at most."""
    kept = answers.kept[row]
    ranks = _ranks(answers.scores[row], kept)
    columns = [int(column) for column in answers.order[row] if kept[column] >= 0][:k]
    items = [
        {
            RANK: place,
            **_named(known, int(kept[column])),
            SCORE: round(float(answers.scores[row, column]), 6),
            "stages": {
                "retrieved": {RANK: column + 1, SCORE: round(float(answers.retrieved[row, column]), 6)},
                "scored": {RANK: int(ranks[column]), SCORE: round(float(answers.scores[row, column]), 6)},
                "ordered": {RANK: place},
            },
        }
        for place, column in enumerate(columns, 1)
    ]
    session = {name: round(float(values[row]), 6) for name, values in answers.sessions.items()}
    return {
        "history": [known.describe(item) for item in history],
        "items": items,
        "dropped": int(((answers.keys[row] >= 0) & (kept < 0)).sum()),
        "session": {name: None if np.isnan(value) else value for name, value in session.items()},
        "latency_ms": {name: round(value, 3) for name, value in answers.latency_ms.items()},
        "via": via,
    }


def _named(known: KnownItems, key: int) -> dict[str, Any]:
    return known.item(key - FIRST_IDX)


def _ranks(scores: Floats, kept: Ints) -> Ints:
    """Rank candidates by score from 1, of equal ones the one retrieved first; those filtered out come last."""
    order = np.argsort(np.where(kept >= 0, -scores.astype(np.float64), np.inf), kind="stable")
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(1, len(order) + 1)
    return ranks
