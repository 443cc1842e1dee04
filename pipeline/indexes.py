"""What is built: indexes by name, which of them serves, and what is done with them after they are built."""

from typing import Any

from pipeline.errors import UserError
from pipeline.names import CATEGORY, FIRST_IDX, PRICE
from pipeline.stage import is_stale
from pipeline.text import did_you_mean
from pipeline.vectors.catalogue import CATALOGUE, index_type
from pipeline.vectors.engine import Engine
from pipeline.vectors.params import estimate, parse_params, validate_search
from pipeline.workspace import Workspace, read_json, write_json

FOLDER, TRASH, CHANGES, SERVING = "indexes", "dropped", "changes.json", "serving.json"
_EARLIER = {CATEGORY: "", PRICE: -1.0}  # what stood for unknown in an index that does not say
_ROW_OVERHEAD = 16  # bytes on disk a row beside its vector: key and timestamp


def index_stage(name: str) -> str:
    """Name the stage that holds what is known of an index."""
    return f"{FOLDER}/{name}"


def list_indexes(workspace: Workspace) -> list[dict[str, Any]]:
    """List what is built, newest first, as manifests tell it; no server is asked."""
    rows = [row for name in workspace.stages(FOLDER) if (row := _row(workspace, name))]
    return sorted(rows, key=lambda row: row["created"], reverse=True)


def dropped(workspace: Workspace) -> list[dict[str, Any]]:
    """List what has been dropped and can still be brought back."""
    return [row for name in workspace.stages(TRASH) if (row := _row(workspace, name))]


def _row(workspace: Workspace, stage: str) -> dict[str, Any] | None:
    manifest = workspace.manifest(stage)
    if manifest is None:
        return None
    metrics = manifest["metrics"]
    takes = estimate(CATALOGUE[manifest["config"]["index"]], metrics["params"], metrics["dim"], metrics["rows"])
    disk = metrics["rows"] * (4 * metrics["dim"] + _ROW_OVERHEAD) + takes.memory_bytes
    return {
        "name": stage.rsplit("/", maxsplit=1)[-1],
        **{k: manifest["config"][k] for k in ("vectors", "model", "index", "server")},
        "unknown": {c: value for c, value in _EARLIER.items() if c in metrics.get("columns", ())},
        "training": None,  # not kept by an earlier version, which also had other values for what is unknown
        **metrics,
        "memory_bytes": round(takes.memory_bytes),  # estimated: the server does not tell
        "disk_bytes": round(disk),  # estimated too
        "created": manifest["created"],
        "seconds": manifest["seconds"],
        "stale": is_stale(workspace, stage),
        **_changes(workspace, stage, manifest),
    }


def _changes(workspace: Workspace, stage: str, manifest: dict[str, Any]) -> dict[str, Any]:
    """Tell what the server said after the last change; counts are None where a kill cut that change off."""
    rows = manifest["metrics"]["rows"]
    since = read_json(workspace.stage(stage) / CHANGES)
    untouched = {"count": rows, "added": 0, "deleted": 0, "freshness": manifest["created"]}
    return {
        **(untouched if since is None else {key: since.get(key) for key in untouched}),
        "changed": since is not None,
        "next_key": manifest["metrics"].get("next_key", rows + FIRST_IDX),  # keys were item_idx, or rows from 0
    }


def find_index(workspace: Workspace, name: str) -> dict[str, Any]:
    """Find a built index by its name, or raise UserError."""
    built = {row["name"]: row for row in list_indexes(workspace)}
    if name not in built:
        known = ", ".join(built) or "none yet; make one with `index build`"
        raise UserError(f"There is no index '{name}': built are {known}.{did_you_mean(name, built)}")
    return built[name]


def serving(workspace: Workspace, model: str) -> dict[str, Any]:
    """Give the item index that answers for `model`: the one chosen with `serve`, else the newest."""
    built = [row for row in list_indexes(workspace) if row["vectors"] == "items" and row["model"] == model]
    if not built:
        raise UserError(f"No index of {model}'s items is built: run `index build`, or build it on the Index page.")
    chosen = (read_json(workspace.root / SERVING) or {}).get("index")
    return next((row for row in built if row["name"] == chosen), built[0])


def of_another_training(workspace: Workspace, index: dict[str, Any]) -> bool:
    """Tell whether an index holds vectors that another training of its model made than the one that serves."""
    stage, model = index_stage(index["name"]), index["model"]
    for made, source in ((stage, f"vectors/{model}"), (f"vectors/{model}", f"models/{model}")):
        inputs, now = (workspace.manifest(made) or {}).get("inputs", {}), workspace.manifest(source)
        if now is not None and inputs.get(source, now["key"]) != now["key"]:
            return True
    return False


def serve(workspace: Workspace, name: str, search: str = "") -> None:
    """Let an item index answer from now on, with search parameters such as 'ef=120'; nothing is built anew."""
    index = find_index(workspace, name)
    if index["vectors"] != "items":
        raise UserError(f"Index '{name}' holds sessions, and recommendations are items: choose an index of items.")
    validate_search(index_type(index["index"]), index["params"], parse_params(search), 1)
    write_json(workspace.root / SERVING, {"index": name, "search": search})


def served_search(workspace: Workspace, name: str) -> str:
    """Give the search parameters that an index was chosen to serve with, '' where it was not, or with none."""
    chosen = read_json(workspace.root / SERVING) or {}
    return str(chosen.get("search", "")) if chosen.get("index") == name else ""


def load_index(workspace: Workspace, name: str, engine: Engine) -> None:
    """Load an index into the server's memory, so that it answers."""
    engine.load(find_index(workspace, name)["collection"])


def release_index(workspace: Workspace, name: str, engine: Engine) -> None:
    """Take an index out of the server's memory; it stays on disk."""
    engine.release(find_index(workspace, name)["collection"])


def set_aside(workspace: Workspace, name: str) -> None:
    """Drop an index so that `bring_back` can undo it; its collection stays until it is dropped for good."""
    find_index(workspace, name)
    workspace.move(index_stage(name), f"{TRASH}/{name}")


def bring_back(workspace: Workspace, name: str) -> None:
    """Undo `set_aside`."""
    if workspace.manifest(f"{TRASH}/{name}") is None:
        raise UserError(f"There is no dropped index '{name}' to bring back: it is dropped for good, or never was.")
    workspace.move(f"{TRASH}/{name}", index_stage(name))


def drop_index(workspace: Workspace, name: str, engine: Engine) -> None:
    """Remove an index and its collection for good, also one that was set aside."""
    aside = next((row for row in dropped(workspace) if row["name"] == name), None)
    found = aside or find_index(workspace, name)
    workspace.remove(f"{TRASH}/{name}" if aside else index_stage(name))
    engine.drop(found["collection"])


def drop_unreferenced(workspace: Workspace, engine: Engine) -> None:
    """Drop this workspace's collections that no manifest names: replaced ones, and what a kill left."""
    kept = {entry["collection"] for entry in [*list_indexes(workspace), *dropped(workspace)]}
    for name in engine.collections():
        if name.startswith(workspace.prefix) and name not in kept:
            engine.drop(name)
