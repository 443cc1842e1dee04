"""A config's part in a stage's key is what it was, so that a workspace written before stays valid.

The keys were computed when configs were dataclasses, each of them alone: {"config": asdict(config)}.
"""

from typing import Any

import pytest

from pipeline.bench.data.scenarios import ScenarioConfig
from pipeline.bench.run.grid import IndexGrid, read_grid
from pipeline.bench.run.plan import SweepConfig
from pipeline.core.options import Options
from pipeline.evaluation.evaluate import EvaluateConfig
from pipeline.evaluation.through_index import ThroughIndexConfig
from pipeline.indexes.build import IndexConfig
from pipeline.maps.projection import MapConfig
from pipeline.models.registry import KINDS
from pipeline.models.session.passes import SessionConfig
from pipeline.sessions.config import PreprocessConfig
from pipeline.store.stage import _key, _plain, run_stage
from pipeline.store.workspace import Workspace, read_json
from pipeline.training.interrupted import checkpoint_path
from pipeline.vectors.imported import ImportConfig

CONFIGS: dict[str, Options] = {
    **{f"models/{name}": kind.defaults for name, kind in KINDS.items()},
    "evaluation": EvaluateConfig(),
    "approximation": ThroughIndexConfig(),
    "maps": MapConfig(),
    "data": PreprocessConfig(),
    "indexes": IndexConfig(),
    "scenarios": ScenarioConfig(),
    "vectors": ImportConfig(file="/a/b.npy"),
}
KEYS: list[tuple[str, dict[str, Any], str]] = [
    ("models/session", {}, "a0e21e5d59ae5c6cb3d68d06"),
    (
        "models/session",
        {"epochs": 3, "learning_rate": 1e-05, "dim": 64, "go_on": True, "scale": 20.0, "budget": 0.5},
        "2798e76690e3208564916578",
    ),
    ("models/two_tower", {}, "7d429806a6751c7eee846001"),
    ("models/two_tower", {"batch_size": 256, "seed": 0}, "a850c096f9153606c1a2b6cc"),
    ("models/two_tower_published", {}, "1c9bf629834561abc19779f7"),
    ("models/two_tower_published", {"epochs": 1, "learning_rate": 1.0}, "f4469bddf55b852a90b2024b"),
    ("models/dlrm", {}, "2c6e8d9bb9935d75dbf20c60"),
    ("models/dlrm", {"retrieval": "two_tower_published", "min_clicks": 0}, "1bd5d9b781c9a6aee073a793"),
    ("models/dlrm_published", {}, "b0515e46ad3be51495ebba6f"),
    ("models/dlrm_published", {"epochs": 12}, "29f0d8d090453abbaa9bd6f8"),
    ("models/itemknn", {}, "97fd5d995e98fd6d2c31313d"),
    ("models/itemknn", {"shrinkage": 0.0, "neighbours": 5}, "89a57199f3ace4917875d39f"),
    ("models/sr", {}, "303971ad62b76e137fa5821c"),
    ("models/sr", {"steps": 3}, "8c0a031c3a5dee0157739f46"),
    ("models/vsknn", {}, "8931037b1cca5de1b3bad8c4"),
    ("models/vsknn", {"neighbours": 5, "sample": 2000}, "31f4857ad1115aee1f871e20"),
    ("models/popularity", {}, "65d03bbad65e3dea69e6ee49"),
    ("evaluation", {}, "3a94e0dee06cd47b676832ef"),
    ("evaluation", {"exclude_seen": True, "max_clicks": 50}, "bb976fe2d98dc326513c56f9"),
    ("approximation", {}, "23385934bd137c3c3b5b062e"),
    ("approximation", {"search": "ef=120", "max_clicks": 50}, "10fa84bb06ea2023505e6fa4"),
    ("maps", {}, "e2f799319a9b28df508e50aa"),
    ("maps", {"n_neighbors": 30, "min_dist": 0.0, "seed": 0}, "4d9fc5da5bb4d6783ed3860e"),
    ("data", {}, "0749154ac1e2bf70f48200e8"),
    ("data", {"test_from": "2008-08-01", "min_item_count": 5}, "02f81fb4a83c79b5750caabc"),
    ("indexes", {}, "7ea64a610bff9a666aca05be"),
    (
        "indexes",
        {
            "vectors": "sessions",
            "model": "two_tower",
            "index": "IVF_FLAT",
            "params": "nlist=64",
            "server": "mine",
            "metric": "L2",
            "label": "b",
        },
        "e7966fc4c5c1c72412b45843",
    ),
    ("vectors", {}, "f4e4c07d4bc2f2caa7ca3e24"),
    ("vectors", {"file": "/a/b.csv", "metric": "L2", "columns": "id=sku,vector=f*"}, "a1e0adfdb29dde523208873a"),
    ("scenarios", {}, "843f24f1552958e8ea8091be"),
    (
        "scenarios",
        {"scenario": "user-user", "model": "two_tower", "metric": "COSINE", "rows": 5000, "queries": 100, "seed": 3},
        "2545362f8451b9814c5cec7d",
    ),
]


@pytest.mark.parametrize(("name", "changes", "key"), KEYS)
def test_a_config_has_the_key_that_it_had(name: str, changes: dict[str, Any], key: str) -> None:
    assert _key({"config": _plain(CONFIGS[name].replace(**changes))}) == key


def test_every_kind_of_model_is_looked_at() -> None:
    assert {name for name, _, _ in KEYS} == set(CONFIGS)


def test_a_manifest_reads_back_as_the_same_config(workspace: Workspace) -> None:
    config = SessionConfig(scale=20, dropout=0)
    run_stage(workspace, "a", config, lambda folder, report: {})
    found = (read_json(workspace.stage("a") / "manifest.json") or {})["config"]
    assert SessionConfig(**found) == config
    assert [type(value) for value in found.values()] == [type(value) for value in dict(config).values()]


@pytest.mark.parametrize(
    ("config", "name"),
    [
        (SessionConfig(), "49f40d7fdb27e88e.npz"),
        (SessionConfig(dim=64, go_on=True, budget=5.0), "1e586e498526e41c.npz"),
    ],
)
def test_a_training_that_was_cut_off_before_is_found(workspace: Workspace, config: SessionConfig, name: str) -> None:
    with workspace.writing("data") as folder:
        (folder / "manifest.json").write_text('{"key": "KEY"}')
    assert checkpoint_path(workspace, "session", config).name == name


def test_a_run_that_was_cut_off_before_is_found() -> None:
    assert _key({"config": _plain(SweepConfig())}) == "507359b67055c99bbe89995b"
    grids = (read_grid(IndexGrid("HNSW", "M=8,16", "ef=100")), read_grid(IndexGrid("FLAT")))
    config = SweepConfig(
        scenario=ScenarioConfig(scenario="user-user"), indexes=grids, nq=(1,), rates=(100.0,), seconds=1.0
    )
    assert _key({"config": _plain(config)}) == "7ea89ad90517c47655c60d8b"
