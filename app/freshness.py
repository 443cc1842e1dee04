"""What is out of date, said where it is shown, with the button that refreshes it."""

from typing import Any

import streamlit as st

from app import refused, state, tray
from pipeline.evaluation.evaluate import evaluation_stage
from pipeline.indexes import registry
from pipeline.indexes.build import IndexConfig, index_name
from pipeline.search.embedded.server import server_name
from pipeline.store.stage import is_stale

# kind of stage -> what a person calls its output, and what has happened where it is the first that is out of date
_KINDS = {
    "data": ("sessions", "other clicks were read"),
    "models": ("model", "the sessions were split again"),
    "vectors": ("vectors", "the model was trained again"),
    "indexes": ("index", "its vectors were made again"),
    "evaluation": ("evaluation", "the model or its test sessions have changed"),
    "maps": ("map", "its vectors were made again"),
}


def out_of_date(model: str) -> list[str]:
    """List the stages behind a model's answers that were made from something replaced since, in order."""
    workspace = state.workspace()
    index = index_in_use(model)
    stages = ["data", f"models/{model}", f"vectors/{model}", *([registry.index_stage(index["name"])] if index else [])]
    stages += [evaluation_stage(model), f"maps/{model}"]
    return [stage for stage in stages if is_stale(workspace, stage)]


def index_in_use(model: str) -> dict[str, Any] | None:
    """Give the index that answers for a model, None where none is built."""
    rows = registry.list_indexes(state.workspace())
    if not any(row["vectors"] == "items" and row["model"] == model for row in rows):
        return None
    return registry.index_in_use(state.workspace(), model)


def notice(model: str) -> bool:
    """Say what of a model is out of date and offer to refresh it; tell whether anything is."""
    stale = out_of_date(model)
    if not stale:
        return False
    kinds = [_KINDS[stage.split("/")[0]] for stage in stale]
    names = [name for name, _ in kinds]
    listed = f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
    with refused.below(f"refresh-{model}"), st.container(border=True):
        said, button = st.columns([3, 1], vertical_alignment="center")
        said.markdown(f":material/update: **Out of date** since {kinds[0][1]}: {listed}.")
        busy = bool(tray.live())
        why = "A job is running: it may be refreshing them already." if busy else None
        if button.button("Refresh", key=f"refresh-{model}", disabled=busy, help=why, width="stretch"):
            first, *then = _commands(model, stale)
            tray.launch(first, f"refresh {model}", [(command, f"refresh the index of {model}") for command in then])
    return True


def _commands(model: str, stale: list[str]) -> list[list[str]]:
    """Give the commands that refresh a model's stages, and then the index in use where `run` builds another."""
    index = index_in_use(model)
    usual = index_name(state.workspace(), IndexConfig(model=model, server=server_name()))
    again = index is not None and index["stale"] and index["name"] != usual
    only_index = all(stage.startswith("indexes/") for stage in stale)
    run = [] if again and only_index else [["run", "--model", model]]
    return [*run, *([build_again(index, use=True)] if index is not None and again else [])]


def build_again(index: dict[str, Any], *, use: bool = False) -> list[str]:
    """Give the command that builds an index again as it was, over the vectors that there are now."""
    manifest = state.workspace().manifest(registry.index_stage(index["name"])) or {}
    config = manifest["config"]
    command = ["index", "build", "--index", config["index"], "--vectors", config["vectors"], "--model", config["model"]]
    command += ["--server", config["server"], "--metric", config.get("metric", "IP")]
    for option, value in (("--build", config.get("params")), ("--label", config.get("label"))):
        command += [option, value] if value else []
    search = registry.used_search(state.workspace(), index["name"])
    return [*command, "--use", *(["--search", search] if search else [])] if use else command
