"""Ask what is served, in one of three ways that answer alike: in this process, by Merlin's runtime, or by Triton."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.core.arrays import Ints
from pipeline.core.checks import one_of
from pipeline.core.errors import UserError
from pipeline.core.ids import named_ids
from pipeline.core.progress import Progress, silent
from pipeline.search.embedded.server import connect
from pipeline.serving.features.tables import session_key
from pipeline.serving.recommender import all_known, session_items
from pipeline.serving.stages.answer import Answers, written
from pipeline.serving.stages.fast import FastPath, batch, item_keys
from pipeline.serving.stages.histories import Requests
from pipeline.serving.stages.served import ServedModel, find_served
from pipeline.store.workspace import Workspace

WAYS = ("fast", "local", "triton")
_NEW = "a session that nobody has seen"  # whose key no session of a log has, being text


@dataclass(frozen=True)
class Question:
    """A session by its id, or items as a person names them, and what can be chosen."""

    session: str | None = None
    items: Sequence[str] = ()
    k: int = 10
    temperature: float = 0.0
    seed: int = 0
    via: str = "fast"
    model: str | None = None
    index: str | None = None


def ask(workspace: Workspace, question: Question, progress: Progress = silent) -> dict[str, Any]:
    """Answer one question: {history, items, latency_ms, session, stages, via}; raise UserError for what cannot be."""
    one_of(question.via, WAYS, "via")
    served = find_served(workspace, question.model, question.index)
    if not 1 <= question.k <= served.candidates:
        raise UserError(f"k {question.k} is out of range: choose 1 to {served.candidates}, what is retrieved.")
    history = _history(workspace, question, served)
    requests = Requests.of([item_keys(history, served.known.rows)])
    found = _answered(workspace, question, served, requests, progress)
    answer = written(found, 0, question.k, history, served.known, question.via)
    return answer | {"stages": served.stages, "index": served.index["name"], "ranker": served.ranker_name}


def _history(workspace: Workspace, question: Question, served: ServedModel) -> list[str]:
    if (question.session is None) == (not question.items):
        raise UserError("Give either a session or items to ask about.")
    if question.session is not None:
        return session_items(workspace, question.session)
    return all_known(named_ids(question.items, served.known.rows), served.known)


def _answered(
    workspace: Workspace, question: Question, served: ServedModel, requests: Requests, progress: Progress
) -> Answers:
    keys = _keys(question)
    temperature, seeds = batch(question.temperature, question.seed, len(requests))
    if question.via == "triton":
        from pipeline.serving.triton.client import TritonClient
        from pipeline.serving.triton.server import address

        client = TritonClient(address(workspace), served.ranker is not None, served.fingerprint)
        try:
            client.answer(keys, requests, temperature, seeds)  # the first one connects: its time is not told
            return client.answer(keys, requests, temperature, seeds)
        finally:
            client.close()
    with connect(workspace, "serve ask", progress, name=served.index["server"]) as engine:
        if question.via == "local":
            from pipeline.serving.ensemble.local import LocalEnsemble

            local = LocalEnsemble(workspace, served)
            local.answer(keys, requests, temperature, seeds)
            return local.answer(keys, requests, temperature, seeds)
        fast = FastPath(served)
        fast.answer(keys, requests, engine, temperature, seeds)
        return fast.answer(keys, requests, engine, temperature, seeds)


def _keys(question: Question) -> Ints:
    return np.array([session_key(question.session if question.session is not None else _NEW)], np.int64)
