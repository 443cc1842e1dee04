"""Indexes written down as built, without a server."""

import uuid
from pathlib import Path
from typing import Any

from pipeline.indexes import registry
from pipeline.indexes.build import IndexConfig
from pipeline.store.stage import run_stage
from pipeline.store.workspace import Workspace


def put_built(workspace: Workspace, under: str = "", **chosen: Any) -> str:
    """Write what an index stage leaves, without a server."""
    config = IndexConfig(**chosen)
    name = under or config.name
    metrics = {
        "rows": 5000,
        "dim": 64,
        "params": {"M": 16, "efConstruction": 200},
        "note": "",
        "collection": f"{workspace.prefix}{name}_{uuid.uuid4().hex[:12]}",
    }

    def body(folder: Path, report: Any) -> dict[str, Any]:
        return metrics

    run_stage(workspace, registry.index_stage(name), config, body)
    return name
