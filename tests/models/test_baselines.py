"""Each baseline against its definition, worked out one session at a time."""

import math
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.core.errors import UserError
from pipeline.models.baselines.item_to_item import ItemKnnConfig, RulesConfig
from pipeline.models.baselines.vsknn import VsKnnConfig
from pipeline.models.contract import TrainingInput
from pipeline.models.registry import KINDS
from tests.made import clicks as made

ITEMS = 30
FRAME, SESSIONS = made.clicks(150, ITEMS)
ASKED = [*made.clicks(40, ITEMS, seed=1, longest=14)[1], [3], []]


def _scores(folder: Path, name: str, config: Any) -> np.ndarray:
    catalogue = made.catalogue(ITEMS, FRAME)
    KINDS[name].train(TrainingInput(folder, FRAME, catalogue, config))
    return KINDS[name].load(folder, catalogue).score(made.histories(ASKED)).toarray()  # type: ignore[union-attr]


def _best(scores: dict[int, float], k: int) -> dict[int, float]:
    return dict(sorted(scores.items(), key=lambda pair: (-pair[1], -pair[0]))[:k])


def _dense(rows: list[dict[int, float]]) -> np.ndarray:
    found = np.zeros((len(rows), ITEMS))
    for row, scores in enumerate(rows):
        for item, score in scores.items():
            found[row, item] = score
    return found


def test_item_knn_is_the_cosine_of_sessions(tmp_path: Path) -> None:
    holding = [{n for n, session in enumerate(SESSIONS) if item in session} for item in range(ITEMS)]
    similar: list[dict[int, float]] = []
    for one in range(ITEMS):
        every = {
            other: len(holding[one] & holding[other]) / math.sqrt((len(holding[one]) + 2) * (len(holding[other]) + 2))
            for other in range(ITEMS)
            if other != one and holding[one] & holding[other]
        }
        similar.append(_best(every, 5))
    expected = _dense([similar[row[-1]] if row else {} for row in ASKED])
    assert np.allclose(_scores(tmp_path, "itemknn", ItemKnnConfig(neighbours=5, shrinkage=2)), expected)


def test_rules_count_what_follows_the_sooner_the_more(tmp_path: Path) -> None:
    rules: list[dict[int, float]] = [defaultdict(float) for _ in range(ITEMS)]
    for session in SESSIONS:
        for later, item in enumerate(session):
            for step in range(1, min(3, later) + 1):
                rules[session[later - step]][item] += 1 / step
    expected = _dense([_best(rules[row[-1]], 6) if row else {} for row in ASKED])
    assert np.allclose(_scores(tmp_path, "sr", RulesConfig(rules=6, steps=3)), expected)


@pytest.mark.parametrize(("neighbours", "sample"), [(8, 20), (1000, 1000)])
def test_vs_knn_adds_up_the_nearest_of_recent_sessions(tmp_path: Path, neighbours: int, sample: int) -> None:
    holding = [[n for n, session in enumerate(SESSIONS) if item in session] for item in range(ITEMS)]
    rows = []
    for asked in ASKED:
        ago = {item: len(asked) - 1 - place for place, item in enumerate(asked)}  # the last one of each item stays
        similar: dict[int, float] = defaultdict(float)
        for item, clicks in ago.items():
            for session in holding[item][-sample:]:
                similar[session] += 1 - clicks / len(asked)
        recent = {session: similar[session] for session in sorted(similar)[-sample:]}
        scores: dict[int, float] = defaultdict(float)
        for session, similarity in _best(recent, neighbours).items():
            last = min(ago[item] for item in SESSIONS[session] if item in ago)
            for item in set(SESSIONS[session]):
                rarity = math.log(len(SESSIONS) / len(holding[item]))
                scores[item] += similarity * max(0, 1 - 0.1 * (last + 1)) * rarity
        rows.append(scores)
    found = _scores(tmp_path, "vsknn", VsKnnConfig(neighbours=neighbours, sample=sample))
    assert np.allclose(found, _dense(rows), atol=1e-4)


@pytest.mark.parametrize(
    ("config", "options"),
    [
        (VsKnnConfig, {"neighbours": 0}),
        (VsKnnConfig, {"neighbours": 200, "sample": 100}),
        (ItemKnnConfig, {"shrinkage": -1}),
        (RulesConfig, {"steps": 0}),
    ],
)
def test_a_bad_option_is_a_sentence(config: Any, options: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="choose"):
        config(**options)
