"""The pipeline as a table: each stage's state, main figure, size and age."""

from datetime import UTC, datetime
from typing import Any

from pipeline.core.text import age, size
from pipeline.store.stage import is_stale
from pipeline.store.workspace import Workspace

# stage folder (or its prefix) -> how its main figure reads, from the manifest's metrics
_FIGURES = {
    "clicks": "{clicks:,} clicks",
    "data": "{train_sessions:,} training + {test_sessions:,} test sessions",
    "models": "{items:,} items",
    "vectors": "{items:,} items, {sessions:,} sessions",
    "indexes": "{rows:,} rows",
    "evaluation": "recall@20 {recall@20:.3f}",
    "maps": "{items:,} items",
}
_IMPORTED = "{items:,} vectors of your own"


def overview(workspace: Workspace) -> list[dict[str, Any]]:
    """List every stage that has an output, in the pipeline's order."""
    names = [name for folder in _FIGURES for name in workspace.stages() if name.split("/")[0] == folder]
    return [entry for name in names if (entry := describe_stage(workspace, name))]


def describe_stage(workspace: Workspace, name: str) -> dict[str, Any] | None:
    """Describe one stage, or give None where it has no output."""
    manifest = workspace.manifest(name)
    if manifest is None:
        return None
    seconds = (datetime.now(UTC) - datetime.fromisoformat(manifest["created"])).total_seconds()
    return {
        "stage": name,
        "state": "out of date" if is_stale(workspace, name) else "ready",
        "figure": _figure(name, manifest["metrics"]),
        "size": size(manifest["bytes"]),
        "bytes": manifest["bytes"],
        "age": age(seconds),
        "created": manifest["created"],
        "seconds": manifest["seconds"],
    }


def _figure(name: str, metrics: dict[str, Any]) -> str:
    template = _IMPORTED if "brought" in metrics else _FIGURES[name.split("/", maxsplit=1)[0]]
    return template.format_map(_Missing(metrics))


class _Missing(dict[str, Any]):
    def __missing__(self, key: str) -> Any:
        return 0
