"""The four stages in this process: NumPy, Milvus and the online store, without Merlin, TensorFlow or Triton."""

import time
from collections.abc import Sequence

import numpy as np

from pipeline.core.arrays import Floats, Ints
from pipeline.core.columns import FIRST_IDX
from pipeline.search.engine import Database, Found
from pipeline.serving.features.online import OnlineFeatures
from pipeline.serving.recommender import loaded
from pipeline.serving.stages.answer import STAGES, Answers
from pipeline.serving.stages.histories import Requests
from pipeline.serving.stages.sampling import check_temperature, softmax_order, streams
from pipeline.serving.stages.scoring import about, candidates, kept
from pipeline.serving.stages.served import ServedModel
from pipeline.serving.stages.sessions import SessionReader


class FastPath:
    """Answer batches of requests with what is served; several threads may ask at once."""

    def __init__(self, served: ServedModel) -> None:
        self.served = served
        self.online = OnlineFeatures(served.repository)
        self._sessions = SessionReader.of(served.known.catalogue)

    def answer(self, keys: Ints, requests: Requests, engine: Database, temperature: Floats, seeds: Ints) -> Answers:
        """Answer n requests; keys: (n,) of the sessions, temperature and seeds: (n,).

        Raises UserError for a session without a known click and for a server or store that does not answer.
        """
        served, clock = self.served, [time.perf_counter()]

        def tick() -> None:
            clock.append(time.perf_counter())

        check_temperature(temperature)
        sessions = self._sessions.completed(self.online.sessions(keys), requests)
        tick()
        histories = requests.known(served.known.categories)
        vectors = served.known.encoder.encode(histories)
        tick()
        hits = self._search(engine, vectors)
        tick()
        found = candidates(hits.ids, hits.scores, len(served.known.categories))
        left = kept(hits.ids, found, requests.seen(hits.ids))
        tick()
        if served.ranker is None:
            scores = hits.scores
            clock += clock[-1:] * 2  # two stages that it does not pass
        else:
            columns = self.online.items(np.maximum(hits.ids, FIRST_IDX).ravel())
            tick()
            scores = served.ranker.logits(histories, found, about(served.ranker.features, found, columns))
            tick()
        order = softmax_order(left, scores, temperature, streams(seeds, histories.codes()))
        tick()
        spent = dict(zip(STAGES, np.diff(clock) * 1000, strict=True))
        return Answers(hits.ids, hits.scores, left, scores, order, sessions, {"total": sum(spent.values()), **spent})

    def _search(self, engine: Database, vectors: Floats) -> Found:
        name, served = self.served.index["collection"], self.served
        return loaded(engine, name, lambda: engine.search(name, vectors, served.candidates, served.search))


def batch(temperature: float, seed: int, sessions: int) -> tuple[Floats, Ints]:
    """Give the same temperature and seed to each of a batch."""
    return np.full(sessions, temperature, np.float32), np.full(sessions, seed, np.int64)


def item_keys(items: Sequence[str], rows: dict[str, int]) -> list[int]:
    """Give the keys of items as people name them, oldest first; those that training has not seen are left out."""
    return [rows[item] + FIRST_IDX for item in items if item in rows]
