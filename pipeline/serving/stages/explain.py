"""Why a ranker puts a candidate where it does: what of its pair lies farthest from the other candidates."""

from dataclasses import dataclass

import numpy as np

from pipeline.core.arrays import Flags, Floats
from pipeline.core.columns import FIRST_IDX
from pipeline.models.dlrm.pairs import CONTINUOUS
from pipeline.serving.features.online import OnlineFeatures
from pipeline.serving.stages.answer import Answers
from pipeline.serving.stages.histories import Requests
from pipeline.serving.stages.scoring import about, candidates
from pipeline.serving.stages.served import ServedModel


@dataclass(frozen=True)
class Reason:
    """One feature of a pair of session and candidate, beside the mean of all candidates."""

    feature: str
    value: float
    mean: float
    apart: float
    """How far the value lies from the mean, in standard deviations of the candidates."""


def pair_values(served: ServedModel, online: OnlineFeatures, requests: Requests, answers: Answers) -> Floats:
    """Give (n, k, features) of the pairs, as the ranker reads them, in the order of `CONTINUOUS`."""
    assert served.ranker is not None
    found = candidates(answers.keys, answers.retrieved, len(served.known.categories))
    columns = online.items(np.maximum(answers.keys, FIRST_IDX).ravel())
    features = served.ranker.features
    return features.continuous(requests.known(served.known.categories), found, about(features, found, columns))


def reasons(values: Floats, kept: Flags, candidate: int, most: int = 4) -> list[Reason]:
    """List the features of a candidate that lie farthest from the mean of those `kept`; values: (k, features).

    A feature that is the same for all candidates says nothing of one, and is left out.
    """
    of_kept = values[kept].astype(np.float64)
    mean, spread = of_kept.mean(axis=0), of_kept.std(axis=0)
    told = spread > 1e-9
    apart = np.where(told, (values[candidate] - mean) / np.where(told, spread, 1.0), 0.0)
    order = np.argsort(-np.abs(apart), kind="stable")[:most]
    return [
        Reason(CONTINUOUS[n], float(values[candidate, n]), float(mean[n]), float(apart[n])) for n in order if told[n]
    ]
