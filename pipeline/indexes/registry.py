"""What is built: indexes by name, which of them is in use, and what is done with them after they are built."""

from typing import Any

from pipeline.core.columns import CATEGORY, FIRST_IDX, PRICE
from pipeline.core.errors import UserError
from pipeline.core.text import did_you_mean
from pipeline.search.catalogue import CATALOGUE, index_type
from pipeline.search.engine import Engine
from pipeline.search.params import estimate, parse_params, validate_search
from pipeline.store.locks import locked
from pipeline.store.snapshot import forget, once
from pipeline.store.stage import is_stale
from pipeline.store.workspace import Workspace, read_json, write_json

FOLDER, TRASH, CHANGES, SERVING = "indexes", "dropped", "changes.json", "serving.json"
_EARLIER = {CATEGORY: "", PRICE: -1.0}  # what stood for unknown in an index that does not say
_ROW_OVERHEAD = 16  # bytes on disk a row beside its vector: key and timestamp


def index_stage(name: str) -> str:
    """Name the stage that holds what is known of an index."""
    return f"{FOLDER}/{name}"


def list_indexes(workspace: Workspace) -> list[dict[str, Any]]:
    """List what is built, newest first, as manifests tell it; no server is asked."""
    return list(once(("indexes", workspace.root), lambda: _listed(workspace)))


def _listed(workspace: Workspace) -> list[dict[str, Any]]:
    rows = [row for name in workspace.stages(FOLDER) if (row := _row(workspace, name))]
    return sorted(rows, key=lambda row: row["created"], reverse=True)


def dropped(workspace: Workspace, name: str | None = None) -> list[dict[str, Any]]:
    """List what is set aside and can still be restored, those called `name` if one is given, newest first.

    Each has its number as `aside`: several of one name may be set aside, one after the other.
    """
    rows = [row | {"aside": _number(stage)} for stage in workspace.stages(TRASH) if (row := _row(workspace, stage))]
    found = [row for row in rows if name in (None, row["name"])]
    return sorted(found, key=lambda row: row["aside"], reverse=True)


def _number(stage: str) -> int:
    """Give the number of an index that is set aside; 0 for one that an earlier version set aside."""
    number, tilde, _ = stage.rsplit("/", maxsplit=1)[-1].partition("~")
    return int(number) if tilde and number.isdigit() else 0


def _name(stage: str) -> str:
    return stage.rsplit("/", maxsplit=1)[-1].removeprefix(f"{_number(stage)}~")


def _aside_stage(name: str, number: int) -> str:
    return f"{TRASH}/{number}~{name}" if number else f"{TRASH}/{name}"


def _row(workspace: Workspace, stage: str) -> dict[str, Any] | None:
    manifest = workspace.manifest(stage)
    if manifest is None:
        return None
    metrics = manifest["metrics"]
    takes = estimate(CATALOGUE[manifest["config"]["index"]], metrics["params"], metrics["dim"], metrics["rows"])
    disk = metrics["rows"] * (4 * metrics["dim"] + _ROW_OVERHEAD) + takes.memory_bytes
    return {
        "name": _name(stage),
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
        if aside := dropped(workspace, name):
            raise UserError(
                f"Index '{name}' is dropped and set aside: restore it on the Index page, or remove it for good with "
                f"`index drop {name} --aside {aside[0]['aside']}`."
            )
        known = ", ".join(built) or "none yet; make one with `index build`"
        raise UserError(f"There is no index '{name}': built are {known}.{did_you_mean(name, built)}")
    return built[name]


def index_in_use(workspace: Workspace, model: str) -> dict[str, Any]:
    """Give the item index that answers for `model`: the one chosen with `use_index`, else the newest."""
    built = _of_items(workspace, model)
    if not built:
        raise UserError(f"No index of {model}'s items is built: run `index build`, or build it on the Index page.")
    chosen = _choices(workspace).get(model, {}).get("index")
    return next((row for row in built if row["name"] == chosen), built[0])


def _of_items(workspace: Workspace, model: str) -> list[dict[str, Any]]:
    return [row for row in list_indexes(workspace) if row["vectors"] == "items" and row["model"] == model]


def _choices(workspace: Workspace) -> dict[str, dict[str, str]]:
    """Read the index that was chosen for each model, and its search parameters: {model: {index, search}}."""
    kept = once(("serving", workspace.root), lambda: read_json(workspace.root / SERVING)) or {}
    if "index" not in kept:
        return dict(kept.get("models", {}))
    manifest = workspace.manifest(index_stage(kept["index"]))  # an earlier version kept one choice for all models
    return {manifest["config"]["model"]: kept} if manifest else {}


def _choose(workspace: Workspace, model: str, name: str, search: str) -> None:
    with locked(workspace.root / "serving.lock"):  # two may choose at once, each for a model
        forget()
        choices = _choices(workspace) | {model: {"index": name, "search": search}}
        write_json(workspace.root / SERVING, {"models": choices})


def keep_serving(workspace: Workspace, model: str) -> None:
    """Choose the index that answers for `model` now, if any does, so that one built later does not take its place."""
    if _of_items(workspace, model):
        name = index_in_use(workspace, model)["name"]
        _choose(workspace, model, name, used_search(workspace, name))


def of_another_training(workspace: Workspace, index: dict[str, Any]) -> bool:
    """Tell whether an index holds vectors that another training of its model made than the one in use."""
    stage, model = index_stage(index["name"]), index["model"]
    for made, source in ((stage, f"vectors/{model}"), (f"vectors/{model}", f"models/{model}")):
        inputs, now = (workspace.manifest(made) or {}).get("inputs", {}), workspace.manifest(source)
        if now is not None and inputs.get(source, now["key"]) != now["key"]:
            return True
    return False


def use_index(workspace: Workspace, name: str, search: str = "") -> None:
    """Let an item index answer from now on, with search parameters such as 'ef=120'; nothing is built anew."""
    index = find_index(workspace, name)
    if index["vectors"] != "items":
        raise UserError(f"Index '{name}' holds sessions, and recommendations are items: choose an index of items.")
    validate_search(index_type(index["index"]), index["params"], parse_params(search), 1)
    _choose(workspace, index["model"], name, search)


def used_search(workspace: Workspace, name: str) -> str:
    """Give the search parameters that an index was chosen for use with, '' where it was not, or with none."""
    chosen = (choice for choice in _choices(workspace).values() if choice["index"] == name)
    return next((str(choice.get("search", "")) for choice in chosen), "")


def rename(workspace: Workspace, name: str, to: str) -> None:
    """Give an index another name, with which it stays in use where it was."""
    choices = _choices(workspace)
    workspace.move(index_stage(name), index_stage(to))
    for model, choice in choices.items():
        if choice["index"] == name:
            _choose(workspace, model, to, choice.get("search", ""))


def load_index(workspace: Workspace, name: str, engine: Engine) -> None:
    """Load an index into the server's memory, so that it answers."""
    engine.load(find_index(workspace, name)["collection"])


def release_index(workspace: Workspace, name: str, engine: Engine) -> None:
    """Take an index out of the server's memory; it stays on disk."""
    engine.release(find_index(workspace, name)["collection"])


def set_index_aside(workspace: Workspace, name: str) -> int:
    """Drop an index so that `restore_index` can undo it, and give its number; it stays until `drop_index`."""
    forget()  # another may have dropped it, or built it anew, since the page began to draw
    find_index(workspace, name)
    number = 1 + max((row["aside"] for row in dropped(workspace)), default=0)
    workspace.move(index_stage(name), _aside_stage(name, number))
    return number


def restore_index(workspace: Workspace, name: str, aside: int | None = None) -> None:
    """Undo `set_index_aside`, of the newest of that name or of number `aside`; UserError while another has the name."""
    found = _find_aside(workspace, name, aside)
    if workspace.manifest(index_stage(name)) is not None:
        raise UserError(f"There is an index '{name}' that was built since: drop it first, then restore the older one.")
    workspace.move(_aside_stage(name, found["aside"]), index_stage(name))


def _find_aside(workspace: Workspace, name: str, aside: int | None) -> dict[str, Any]:
    for row in dropped(workspace, name):
        if aside in (None, row["aside"]):
            return row
    which = "" if aside is None else f" of number {aside}"
    raise UserError(f"There is no dropped index '{name}'{which} to restore: it was removed for good, or never existed.")


def to_drop(workspace: Workspace, name: str, aside: int | None = None) -> dict[str, Any]:
    """Find what `drop_index` removes: the index that is built, or with `aside` the one set aside with that number."""
    return find_index(workspace, name) if aside is None else _find_aside(workspace, name, aside)


def drop_index(workspace: Workspace, name: str, engine: Engine, aside: int | None = None) -> None:
    """Remove an index and its collection for good, or with `aside` the one of that number that is set aside."""
    found = to_drop(workspace, name, aside)
    workspace.remove(_aside_stage(name, set_index_aside(workspace, name) if aside is None else aside))
    engine.drop(found["collection"])


def drop_unreferenced(workspace: Workspace, engine: Engine) -> None:
    """Drop this workspace's collections that no manifest names: replaced ones, and what a kill left."""
    with workspace.still():  # one that is dropped or restored meanwhile is in neither list, or in both
        kept = {entry["collection"] for entry in [*list_indexes(workspace), *dropped(workspace)]}
    for name in engine.collections():
        if name.startswith(workspace.prefix) and name not in kept:
            engine.drop(name)
