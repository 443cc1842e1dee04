"""What an index loses: nothing by an exact one, and what the ranks say by one that looks into one list of eight."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline.bench import quality
from pipeline.core.columns import FIRST_IDX
from pipeline.core.errors import UserError
from pipeline.evaluation.evaluate import evaluate, evaluations
from pipeline.evaluation.examples import EvaluationExamples
from pipeline.evaluation.index_loss import RevealedSessions
from pipeline.evaluation.through_index import ThroughIndexConfig, approximate, check
from pipeline.models.tower import Tower, TwoTower
from pipeline.search.libraries.faiss import FaissEngine
from pipeline.sessions.preprocess import load_part
from pipeline.store.workspace import MANIFEST, Workspace, write_json
from pipeline.training.train import load_encoder
from tests.made import clicks as made

ITEMS = 60
CONFIG = {"vectors": "items", "model": "two_tower", "server": "embedded", "metric": "IP"}


def _tower(seed: int) -> Tower:
    random = np.random.default_rng(seed)
    shapes = ((FIRST_IDX + ITEMS, 8), (8, 8), (16, 8), (8,), (8, 4), (4,))
    return Tower(*(random.normal(size=shape).astype(np.float32) for shape in shapes))


@pytest.fixture
def built(tmp_path: Path) -> tuple[Workspace, FaissEngine]:
    """Give a model of random weights, and two indexes of its items: one exact, one of eight lists."""
    opened = Workspace.open(tmp_path / "ws")
    made.data(opened, items=ITEMS)
    with opened.writing("models/two_tower") as folder:
        TwoTower(_tower(0), _tower(1)).save(folder / "towers.npz")
        (folder / "items.parquet").write_bytes((opened.stage("data") / "items.parquet").read_bytes())
        write_json(folder / MANIFEST, {"key": "m", "inputs": {"data": "made"}, "config": {}, "metrics": {}})
    engine = FaissEngine()
    encoder, _ = load_encoder(opened, "two_tower")
    for name, params in (("FLAT", {}), ("IVF_FLAT", {"nlist": 8})):
        engine.create(name, encoder.vectors.shape[1], "IP")
        engine.insert(name, np.arange(FIRST_IDX, FIRST_IDX + ITEMS), encoder.vectors, {})
        engine.build(name, name, params, "IP")
        with opened.writing(f"indexes/{name.lower()}") as folder:
            measured = {"collection": name, "params": params, "dim": 4, "rows": ITEMS, "metric": "IP"}
            about = {"key": name, "inputs": {"models/two_tower": "m"}, "created": "", "seconds": 1.0}
            write_json(folder / MANIFEST, about | {"config": CONFIG | {"index": name}, "metrics": measured})
    return opened, engine


def test_an_exact_index_loses_nothing(built: tuple[Workspace, FaissEngine]) -> None:
    workspace, engine = built
    evaluate(workspace, "two_tower")
    found = approximate(workspace, "flat", ThroughIndexConfig(), engine).manifest["metrics"]
    figures = evaluations(workspace)["two_tower"]
    assert found["index_recall@20"] == 1
    assert found["examples"] == figures["examples"]
    one = 1 / found["examples"] + 2e-6  # example at the edge, where two libraries round differently
    for name in ("recall@20", "mrr@20"):
        assert found["exact"][name] == pytest.approx(figures[name], abs=one)
        assert found["through"][name] == pytest.approx(found["exact"][name], abs=one)
        lost = found["lost"][name]
        assert abs(lost["difference"]) <= one
        assert lost["low"] <= 0 <= lost["high"]


def test_a_lossy_index_tells_what_it_loses(built: tuple[Workspace, FaissEngine]) -> None:
    workspace, engine = built
    found = approximate(workspace, "ivf_flat", ThroughIndexConfig(search="nprobe=1"), engine).manifest["metrics"]
    assert found["index_recall@20"] < 0.9
    lost = found["lost"]["recall@20"]
    assert lost["difference"] == pytest.approx(found["exact"]["recall@20"] - found["through"]["recall@20"], abs=2e-6)
    assert 0 < lost["low"] < lost["difference"] < lost["high"]
    whole = approximate(workspace, "ivf_flat", ThroughIndexConfig(search="nprobe=8"), engine)
    assert not whole.skipped
    assert whole.manifest["metrics"]["index_recall@20"] == 1


def test_a_benchmark_and_the_evaluation_tell_one_figure(built: tuple[Workspace, FaissEngine]) -> None:
    workspace, engine = built
    evaluated = approximate(workspace, "ivf_flat", ThroughIndexConfig(search="nprobe=1"), engine).manifest["metrics"]
    encoder, _ = load_encoder(workspace, "two_tower")
    examples = EvaluationExamples.of(load_part(workspace, "test"))
    sessions = RevealedSessions(encoder.vectors, encoder.encode(examples.histories), examples.targets)
    setting = pl.DataFrame({"index": ["IVF_FLAT"], "build": ['{"nlist": 8}'], "search": ['{"nprobe": 1}']})
    (benched,) = quality.measure_quality(FaissEngine(), "", sessions, setting)
    assert (benched["exact_recall"], benched["exact_mrr"]) == tuple(evaluated["exact"].values())
    assert (benched["next_recall"], benched["next_mrr"]) == tuple(evaluated["through"].values())


def test_an_index_of_other_vectors_is_refused(built: tuple[Workspace, FaissEngine]) -> None:
    workspace, _ = built
    write_json(workspace.stage("models/two_tower") / MANIFEST, {"key": "n", "inputs": {}, "config": {}, "metrics": {}})
    with pytest.raises(UserError, match="build it again"):
        check(workspace, "flat")
    with pytest.raises(UserError, match="There is no index 'x'"):
        check(workspace, "x")
