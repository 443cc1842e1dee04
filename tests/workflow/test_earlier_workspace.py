"""A workspace that was written before the modules moved: it opens, and nothing in it is stale or made again.

`workspace-2026-11-26.tar.xz` was written by commit d1df00a (`run --clicks shop:200`, every model, own vectors, four
indexes, one dropped, an evaluation through one, a benchmark); large weights and the server's files were left out.
"""

import tarfile
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pipeline.bench.runs import list_runs
from pipeline.clicks import ClickSource
from pipeline.clicks.ingest import ingest
from pipeline.core.project import PROJECT
from pipeline.evaluation.evaluate import EvaluateConfig, evaluate
from pipeline.indexes.registry import dropped, index_in_use, list_indexes
from pipeline.maps.projection import MapConfig, project
from pipeline.serving.recommender import Recommender
from pipeline.sessions.config import PreprocessConfig
from pipeline.sessions.preprocess import preprocess
from pipeline.store.stage import Done, is_stale
from pipeline.store.workspace import WORKSPACE_VARIABLE, Workspace
from pipeline.training.history import list_trainings
from pipeline.training.train import train
from pipeline.vectors.embed import embed

WRITTEN = Path(__file__).with_name("workspace-2026-11-26.tar.xz")
MODELS = ["dlrm", "itemknn", "popularity", "session", "sr", "two_tower", "two_tower_published", "vsknn"]
EVALUATED = ["popularity", "session"]


@pytest.fixture
def earlier(tmp_path: Path) -> Workspace:
    with tarfile.open(WRITTEN) as archive:
        archive.extractall(tmp_path / "ws", filter="data")
    return Workspace.open(tmp_path / "ws")


def _config(workspace: Workspace, stage: str) -> dict[str, object]:
    manifest = workspace.manifest(stage)
    assert manifest is not None, stage
    return dict(manifest["config"])


def test_nothing_in_it_is_stale(earlier: Workspace) -> None:
    assert WRITTEN.stat().st_size < 200_000
    stages = earlier.stages()
    assert {f"models/{name}" for name in MODELS} < set(stages)
    assert [stage for stage in stages if is_stale(earlier, stage)] == []


def test_no_stage_is_made_again(earlier: Workspace) -> None:
    done: list[Done] = [
        ingest(earlier, ClickSource(**_config(earlier, "clicks"))),  # type: ignore[arg-type]
        preprocess(earlier, PreprocessConfig(**_config(earlier, "data"))),  # type: ignore[arg-type]
        *(train(earlier, model, _config(earlier, f"models/{model}")) for model in MODELS),
        embed(earlier, "session"),
        embed(earlier, "two_tower"),
        *(evaluate(earlier, m, config=EvaluateConfig(**_config(earlier, f"evaluation/{m}"))) for m in EVALUATED),  # type: ignore[arg-type]
        project(earlier, "session", MapConfig(**_config(earlier, "maps/session"))),  # type: ignore[arg-type]
    ]
    assert [one.name for one in done if not one.skipped] == []


def test_what_was_built_trained_and_measured_is_listed(earlier: Workspace) -> None:
    names = {row["name"] for row in list_indexes(earlier)}
    assert names == {"items-mine-ivf_flat", "items-session-flat", "items-session-hnsw", "sessions-session-hnsw"}
    assert not any(row["stale"] for row in list_indexes(earlier))
    assert [row["name"] for row in dropped(earlier)] == []
    assert index_in_use(earlier, "session")["name"] in names
    trainings = list_trainings(earlier)
    assert {one.model for one in trainings} == set(MODELS)
    assert all(one.in_use and one.current for one in trainings)
    assert {one.model: one.options for one in trainings if one.options} == {
        "session": {"epochs": 1, "finish": 1, "dim": 8},
        "two_tower": {"epochs": 1},
        "two_tower_published": {"epochs": 1},
        "dlrm": {"epochs": 1, "candidates": 10},
    }
    (run,) = list_runs(earlier)
    assert (run.name, run.status, run.points) == ("first", "done", 4)


def test_its_encoder_still_answers(earlier: Workspace) -> None:
    recommender = Recommender(earlier)
    known = recommender.of(recommender.index_in_use("items-session-hnsw"))
    vector = known.encode(known.catalogue["item_id"].cast(str).to_list()[:2])
    assert vector.shape == (1, 8)


@pytest.mark.parametrize("page", ["overview", "data", "train", "index", "map", "benchmark"])
def test_a_page_shows_it(earlier: Workspace, page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WORKSPACE_VARIABLE, str(earlier.root))
    shown = AppTest.from_file(str(PROJECT / "pages" / f"{page}.py"), default_timeout=60).run()
    assert not shown.exception
    assert not any("out of date" in one.value for one in [*shown.markdown, *shown.caption, *shown.warning])
