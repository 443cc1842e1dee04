"""What is built: which one serves, what is dropped and brought back, and names that stand side by side."""

from pathlib import Path
from typing import Any

import pytest

from pipeline import indexes, published
from pipeline.errors import UserError
from pipeline.index import IndexConfig
from pipeline.stage import run_stage
from pipeline.workspace import Workspace


def _put(workspace: Workspace, **chosen: Any) -> str:
    """Write what an index stage leaves, without a server."""
    config = IndexConfig(**chosen)
    metrics = {
        "rows": 5000,
        "dim": 64,
        "params": {"M": 16, "efConstruction": 200},
        "note": "",
        "collection": config.name,
    }

    def body(folder: Path, report: Any) -> dict[str, Any]:
        return metrics

    run_stage(workspace, indexes.index_stage(config.name), config, body)
    return config.name


def test_names_tell_vectors_model_type_server_and_label() -> None:
    assert IndexConfig().name == "items-session-hnsw"
    assert IndexConfig(index="GPU_CAGRA", server="card", label="wide").name == "items-session-gpu_cagra-card-wide"


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({"label": "M 32"}, "The label 'M 32' is not"),
        ({"metric": "DOT"}, "HNSW has no metric 'DOT': choose L2, IP, COSINE"),
        ({"index": "GPU_IVF_PQ", "metric": "COSINE"}, "GPU_IVF_PQ has no metric 'COSINE': choose L2, IP"),
        ({"vectors": "users"}, "There are no vectors of 'users'"),
    ],
)
def test_what_cannot_be_built_is_a_sentence(chosen: dict[str, Any], expected: str) -> None:
    with pytest.raises(UserError) as caught:
        IndexConfig(**chosen)
    assert expected in str(caught.value)


def test_the_newest_serves_until_another_is_chosen(workspace: Workspace) -> None:
    with pytest.raises(UserError, match="No index of session's items is built"):
        indexes.serving(workspace, "session")
    first, second = _put(workspace), _put(workspace, label="b")
    sessions = _put(workspace, vectors="sessions")
    indexes.serve(workspace, first)
    assert indexes.serving(workspace, "session")["name"] == first
    indexes.serve(workspace, second)
    assert indexes.serving(workspace, "session")["name"] == second
    indexes.serve(workspace, second, "ef=120")
    assert (indexes.served_search(workspace, second), indexes.served_search(workspace, first)) == ("ef=120", "")
    with pytest.raises(UserError, match="has no parameter 'nprobe'"):
        indexes.serve(workspace, first, "nprobe=4")
    with pytest.raises(UserError, match="holds sessions"):
        indexes.serve(workspace, sessions)
    indexes.set_aside(workspace, second)  # one that is gone serves no more
    assert indexes.serving(workspace, "session")["name"] == first


def test_what_is_dropped_comes_back_as_it_was(workspace: Workspace) -> None:
    name = _put(workspace)
    before = indexes.list_indexes(workspace)
    indexes.set_aside(workspace, name)
    assert indexes.list_indexes(workspace) == []
    assert [row["name"] for row in indexes.dropped(workspace)] == [name]
    workspace.sweep()  # the next writer leaves what can still be brought back
    indexes.bring_back(workspace, name)
    assert indexes.list_indexes(workspace) == before
    with pytest.raises(UserError, match="no dropped index"):
        indexes.bring_back(workspace, name)


def test_memory_and_disk_are_estimated(workspace: Workspace) -> None:
    _put(workspace)
    row = indexes.list_indexes(workspace)[0]
    assert 5000 * 64 * 4 < row["memory_bytes"] < row["disk_bytes"] < 5_000_000


def test_published_figures_are_those_of_the_study() -> None:
    assert published.results().height == 270
    best = {(r["scenario"], r["device"]): r["qps"] for r in published.best_qps(0.95).iter_rows(named=True)}
    assert best["user-user", "gpu"] == 39856
    assert best["item-item", "cpu"] == 14426


def test_an_index_of_another_training_is_told(workspace: Workspace) -> None:
    def made(stage: str, label: str, *inputs: str) -> None:
        run_stage(workspace, stage, IndexConfig(label=label), lambda folder, report: {}, inputs=inputs)

    index = {"name": "x", "model": "session"}
    made("models/session", "a")
    made("vectors/session", "", "models/session")
    made("indexes/x", "", "vectors/session")
    assert not indexes.of_another_training(workspace, index)
    made("models/session", "b")
    assert indexes.of_another_training(workspace, index)
    made("vectors/session", "", "models/session")
    assert indexes.of_another_training(workspace, index)
    made("indexes/x", "", "vectors/session")
    assert not indexes.of_another_training(workspace, index)
