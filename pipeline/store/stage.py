"""A stage: a function from a frozen config to a folder with a manifest, skipped when nothing it depends on changed."""

import hashlib
import json
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipeline.core.columns import LATER
from pipeline.core.errors import UserError
from pipeline.core.progress import Progress, silent
from pipeline.core.text import duration
from pipeline.store.snapshot import once
from pipeline.store.workspace import MANIFEST, Workspace, write_json

Metrics = dict[str, Any]
Body = Callable[[Path, Progress], Metrics]


@dataclass(frozen=True)
class Done:
    """What a stage answered: its name, its manifest, and whether there was nothing to do."""

    name: str
    manifest: dict[str, Any]
    skipped: bool

    @property
    def seconds(self) -> float:
        """Give how long the work took when it was done, in seconds; 0 when it was skipped."""
        return 0.0 if self.skipped else float(self.manifest["seconds"])


def need(workspace: Workspace, name: str, way_out: str) -> dict[str, Any]:
    """Read the manifest of a stage that another one builds on, or raise UserError with `way_out`."""
    manifest = workspace.manifest(name)
    if manifest is None:
        raise UserError(f"'{name}' is not there yet in {workspace.root}: {way_out}")
    return manifest


def run_stage(
    workspace: Workspace,
    name: str,
    config: Any,
    body: Body,
    *,
    inputs: Sequence[str] = (),
    source: str = "",
    packages: Sequence[str] = (),
    revision: int = 1,
    progress: Progress = silent,
    force: bool = False,
) -> Done:
    """Run `body` into the folder of stage `name`, or skip it when config, inputs and code revision are unchanged.

    `config` is a frozen dataclass or `Options`; `inputs` are stages whose manifests count; `source` is a digest of what
    comes from outside; `revision` is raised when the stage's code changes its output.
    """
    keys = {stage: need(workspace, stage, _way_to(stage))["key"] for stage in inputs}
    chosen = _plain(config)
    key = _key({"stage": name, "config": chosen, "inputs": keys, "source": source, "revision": revision})
    existing = workspace.manifest(name)
    if existing is not None and existing["key"] == key and not force:
        progress(1, 1, "unchanged")
        return Done(name, existing, skipped=True)
    started = time.monotonic()
    with workspace.writing(name) as folder:
        metrics = body(folder, progress)
        manifest: dict[str, Any] = {
            "stage": name,
            "key": key,
            "config": chosen,
            "inputs": keys,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(time.monotonic() - started, 3),
            "bytes": sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()),
            "versions": {p: version(p) for p in packages} | {"python": platform.python_version()},
            "metrics": metrics,
        }
        write_json(folder / MANIFEST, manifest)
    progress(1, 1, f"done in {duration(manifest['seconds'])}")
    return Done(name, manifest, skipped=False)


def _way_to(stage: str) -> str:
    """Say which command makes a stage's output."""
    kind, _, model = stage.partition("/")
    command = {"clicks": "ingest --clicks …", "data": "preprocess", "models": "train", "vectors": "embed"}.get(
        kind, "run"
    )
    return f"run `{command} --model {model}`." if model else f"run `{command}`."


def is_stale(workspace: Workspace, name: str) -> bool:
    """Tell whether a stage's output was made from inputs that have been replaced since."""
    return once(("stale", workspace.root, name), lambda: _is_stale(workspace, name))


def _is_stale(workspace: Workspace, name: str) -> bool:
    manifest = workspace.manifest(name)
    if manifest is None:
        return False
    for stage, key in manifest["inputs"].items():
        current = workspace.manifest(stage)
        if current is None or current["key"] != key or is_stale(workspace, stage):
            return True
    return False


def _plain(config: Any) -> dict[str, Any]:
    """Give a config as it stands in keys and manifests: fields that came later only where they are not the default."""
    if is_dataclass(config) and not isinstance(config, type):
        usual = {f.name for f in fields(config) if f.metadata == LATER and getattr(config, f.name) == f.default}
        return {name: value for name, value in asdict(config).items() if name not in usual}
    return dict(config.written())


def _key(parts: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:24]
