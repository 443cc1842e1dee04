"""A stage runs when something it depends on changed, and only then."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import UserError
from pipeline.core.progress import Progress
from pipeline.store.stage import Done, is_stale, run_stage
from pipeline.store.workspace import Workspace
from pipeline.workflow.overview import overview


@dataclass(frozen=True)
class Config:
    value: int = 1


def _run(workspace: Workspace, name: str, config: Config | None = None, **more: Any) -> Done:
    def body(folder: Path, progress: Progress) -> dict[str, Any]:
        (folder / "out").write_text("x" * 10)
        return {"rows": 3}

    return run_stage(workspace, name, config or Config(), body, **more)


@pytest.mark.parametrize(
    "change", [{"config": Config(2)}, {"revision": 2}, {"source": "other"}, {"force": True}], ids=str
)
def test_a_change_runs_it_again(workspace: Workspace, change: dict[str, Any]) -> None:
    assert not _run(workspace, "a").skipped
    assert _run(workspace, "a").skipped
    assert not _run(workspace, "a", **change).skipped


def test_a_changed_input_makes_what_follows_stale(workspace: Workspace) -> None:
    _run(workspace, "a")
    _run(workspace, "b", inputs=["a"])
    _run(workspace, "c", inputs=["b"])
    assert not is_stale(workspace, "c")
    _run(workspace, "a", Config(2))
    assert is_stale(workspace, "c")
    assert not _run(workspace, "b", inputs=["a"]).skipped


def test_the_road_is_listed_in_its_order_and_nothing_else(workspace: Workspace) -> None:
    for name in ("models/b", "data", "models/a", "evaluation-unseen/a", "dropped/x", "clicks"):
        _run(workspace, name)
    assert [row["stage"] for row in overview(workspace)] == ["clicks", "data", "models/a", "models/b"]


def test_a_missing_input_is_a_sentence(workspace: Workspace) -> None:
    with pytest.raises(UserError, match="'a' is not there yet"):
        _run(workspace, "b", inputs=["a"])


def test_the_manifest_says_what_was_done(workspace: Workspace) -> None:
    manifest = _run(workspace, "a", packages=["polars"]).manifest
    assert manifest["metrics"] == {"rows": 3}
    assert manifest["bytes"] == 10
    assert manifest["config"] == {"value": 1}
    assert manifest["versions"]["polars"]
