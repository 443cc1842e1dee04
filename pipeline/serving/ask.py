"""Ask what is served, in one of three ways that answer alike: in this process, by Merlin's runtime, or by Triton."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.core.arrays import Floats, Ints
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


@dataclass(frozen=True, eq=False)
class PreparedQuestion:
    """A question that holds, as the stages take it."""

    history: list[str]
    """Items as a person names them, oldest first."""
    keys: Ints
    requests: Requests
    temperature: Floats
    seeds: Ints


def prepare(workspace: Workspace, question: Question, served: ServedModel) -> PreparedQuestion:
    """Check a question; raise UserError for what cannot be answered."""
    one_of(question.via, WAYS, "via")
    if not 1 <= question.k <= served.candidates:
        raise UserError(f"k {question.k} is out of range: choose 1 to {served.candidates}, what is retrieved.")
    history = _history(workspace, question, served)
    requests = Requests.of([item_keys(history, served.known.rows)])
    key = session_key(question.session if question.session is not None else _NEW)
    return PreparedQuestion(
        history, np.array([key], np.int64), requests, *batch(question.temperature, question.seed, len(requests))
    )


def ask(workspace: Workspace, question: Question, progress: Progress = silent) -> dict[str, Any]:
    """Answer one question: {history, items, latency_ms, session, stages, via}; raise UserError for what cannot be."""
    one_of(question.via, WAYS, "via")
    served = find_served(workspace, question.model, question.index)
    prepared = prepare(workspace, question, served)
    found = _answered(workspace, question.via, served, prepared, progress)
    answer = written(found, 0, question.k, prepared.history, served.known, question.via)
    return answer | {"stages": served.stages, "index": served.index["name"], "ranker": served.ranker_name}


def _history(workspace: Workspace, question: Question, served: ServedModel) -> list[str]:
    if (question.session is None) == (not question.items):
        raise UserError("Give either a session or items to ask about.")
    if question.session is not None:
        return session_items(workspace, question.session)
    return all_known(named_ids(question.items, served.known.rows), served.known)


def _answered(
    workspace: Workspace, via: str, served: ServedModel, prepared: PreparedQuestion, progress: Progress
) -> Answers:
    asked = prepared.keys, prepared.requests
    how = prepared.temperature, prepared.seeds
    if via == "triton":
        from pipeline.serving.triton.client import TritonClient
        from pipeline.serving.triton.server import address

        client = TritonClient(address(workspace), served.ranker is not None, served.fingerprint)
        try:
            client.answer(*asked, *how)  # the first one connects: its time is not told
            return client.answer(*asked, *how)
        finally:
            client.close()
    with connect(workspace, "serve ask", progress, name=served.index["server"]) as engine:
        if via == "local":
            from pipeline.serving.ensemble.local import LocalEnsemble

            local = LocalEnsemble(workspace, served)
            local.answer(*asked, *how)
            return local.answer(*asked, *how)
        fast = FastPath(served)
        fast.answer(*asked, engine, *how)
        return fast.answer(*asked, engine, *how)
