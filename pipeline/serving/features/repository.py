"""The feature repository: one folder for each state of the features, which plain Feast and Merlin's QueryFeast open.

features/KEY/feature_store.yaml   Feast's own configuration; KEY begins the stage's key, so that a new state never mixes
             registry.db          with the one that is being served
             online.db            the online store, where that is SQLite
             filled.json          how far it is filled (fill.py)
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from pipeline.core.columns import ITEM_IDX
from pipeline.core.errors import UserError
from pipeline.serving.features.sqlite import database
from pipeline.serving.features.stage import ITEMS, SESSIONS, STAGE, features_key
from pipeline.serving.features.tables import EVENT_TIME, ITEM_FEATURES, SESSION_FEATURES, SESSION_KEY
from pipeline.store.locks import locked
from pipeline.store.stage import is_stale
from pipeline.store.workspace import Workspace, keep_newest, read_json, write_json, write_text

if TYPE_CHECKING:
    from feast import FeatureStore

YAML, FILLED = "feature_store.yaml", "filled.json"
SQLITE: dict[str, Any] = {"type": "sqlite", "path": "online.db"}
_IN_ADDRESS = re.compile(r"password=([^,]+)|//[^:/@]*:([^@/]+)@")  # as Redis and databases are addressed
_SECRET_NAME = re.compile(r"pass|secret|token|key$", re.IGNORECASE)
ONLINE_VARIABLE = "CLICK_ROAD_ONLINE_STORE"  # a file with Feast's `online_store`, for repositories that are made anew
KEPT = 2  # states: the newest and the one that may still be served


@dataclass(frozen=True)
class View:
    """A feature view: what it is of, and what is known of it."""

    name: str
    entity: str
    key: str
    features: tuple[str, ...]


VIEWS = {
    "items": View("items", "item", ITEM_IDX, ITEM_FEATURES),
    "sessions": View("sessions", "session", SESSION_KEY, SESSION_FEATURES),
}


def base(workspace: Workspace) -> Path:
    """Give the folder of the workspace's feature repositories."""
    return workspace.root / "features"


def repository_folder(workspace: Workspace) -> Path:
    """Give the folder of the repository of the features as they are; it may not be made yet."""
    return base(workspace) / features_key(workspace)[:12]


def find_repository(workspace: Workspace) -> Path:
    """Give the repository of the features as they are; raise UserError where it is not made."""
    folder = repository_folder(workspace)
    if is_stale(workspace, STAGE):
        raise UserError("The features are of other sessions than the models learn from now: run `features apply`.")
    if not (folder / YAML).exists():
        raise UserError("The feature repository of these sessions is not made yet: run `features apply`.")
    return folder


def is_online(workspace: Workspace) -> bool:
    """Tell whether the features of the sessions as they are stand in the online store, as far as is told."""
    try:
        return bool(filled(find_repository(workspace)).get("items", {}).get("done"))
    except UserError:
        return False


def open_store(folder: Path) -> "FeatureStore":
    """Open a repository with Feast, which takes some 5 s to import."""
    from feast import FeatureStore

    return FeatureStore(repo_path=str(folder))


def apply(workspace: Workspace, online: Mapping[str, Any] | None = None) -> Path:
    """Make the repository of the features as they are, and declare both views in it; give its folder.

    `online`: an online store as Feast configures it, e.g. {'type': 'redis', 'connection_string': '${REDIS}'}; else the
    one it has, or that CLICK_ROAD_ONLINE_STORE names, or SQLite. Variables in it are read when it is opened: nothing
    secret has to be written.
    """
    folder = repository_folder(workspace)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(base(workspace) / "lock"):
        path, before = folder / YAML, (folder / YAML).read_text() if (folder / YAML).exists() else None
        write_text(path, yaml.safe_dump(_configuration(workspace, folder.name, online or _before(folder))), 0o600)
        try:
            _declare(workspace, folder)
        except UserError:  # what stood before goes on
            path.unlink() if before is None else write_text(path, before, 0o600)
            raise
        keep_newest(base(workspace), folder.name, KEPT)
    return folder


def _before(folder: Path) -> Mapping[str, Any]:
    """Give the online store that the repository has, else the one that the environment names, or SQLite."""
    path, named = folder / YAML, os.environ.get(ONLINE_VARIABLE)
    if path.exists():
        return dict(yaml.safe_load(path.read_text())["online_store"])
    return read_online_store(Path(named)) if named else SQLITE


def read_online_store(path: Path) -> dict[str, Any]:
    """Read an online store's configuration from a file: Feast's `online_store`, alone or in a feature_store.yaml."""
    try:
        found = yaml.safe_load(path.read_text())
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist: name a file with Feast's `online_store`.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not YAML: write it as Feast's feature_store.yaml.") from error
    store = found.get("online_store", found) if isinstance(found, dict) else None
    if not isinstance(store, dict) or not isinstance(store.get("type"), str):
        raise UserError(f"{path} names no online store: write `online_store:` with a `type`, such as redis or sqlite.")
    return store


def _configuration(workspace: Workspace, key: str, online: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "project": f"{workspace.prefix}{key}",
        "registry": "registry.db",
        "provider": "local",
        "online_store": dict(online),
        "offline_store": {"type": "file"},
        "entity_key_serialization_version": 2,
    }


def _declare(workspace: Workspace, folder: Path) -> None:
    """Declare entities and views, over the Parquet files of the stage."""
    try:
        store = open_store(folder)
    except Exception as error:  # each store of Feast's has errors of its own
        raise UserError(
            f"Feast cannot open the online store that {folder / YAML} names: {without_secrets(folder, error)}"
        ) from error
    from feast import Entity, FeatureView, Field, FileSource, ValueType
    from feast.types import Float32

    stage = workspace.stage(STAGE)
    sources = {"items": stage / ITEMS, "sessions": stage / SESSIONS}
    declared: list[Any] = []
    for view in VIEWS.values():
        entity = Entity(name=view.entity, join_keys=[view.key], value_type=ValueType.INT64)
        source = FileSource(name=f"{view.name}_source", path=str(sources[view.name]), timestamp_field=EVENT_TIME)
        fields = [Field(name=name, dtype=Float32) for name in view.features]
        declared += [entity, FeatureView(name=view.name, entities=[entity], schema=fields, source=source, ttl=None)]
    try:
        store.apply(declared)
    except Exception as error:  # as above, of a store that opens and takes nothing
        told = without_secrets(folder, error)
        raise UserError(
            f"Feast cannot declare the features in {folder} ({told}): remove that folder and run `features apply`."
        ) from error


def without_secrets(folder: Path, error: object) -> str:
    """Give what an error says without the passwords in the online store's configuration and the variables it names."""
    text = str(error)
    for secret in _secrets(_before(folder)):
        text = text.replace(secret, "…")
    return text


def _secrets(value: object, name: str = "") -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _secrets(inner, str(key))
    elif isinstance(value, str):
        plain = os.path.expandvars(value)
        yield from (found for found in chain(*_IN_ADDRESS.findall(plain)) if found)
        if plain and _SECRET_NAME.search(name):
            yield plain


def online_type(folder: Path) -> str:
    """Name the kind of online store that a repository has."""
    return str(_before(folder).get("type"))


def filled(folder: Path) -> dict[str, Any]:
    """Tell how far each view of the online store is filled: {view: {rows, group, groups, seconds, done}}.

    What was told of another store, or of a database file that was replaced since, says nothing of this one.
    """
    found = read_json(folder / FILLED) or {}
    return dict(found.get("views", {})) if found.get("store") == _identity(folder) else {}


def keep_filled(folder: Path, views: Mapping[str, Any]) -> None:
    """Keep how far each view is filled, and of which store that is told."""
    write_json(folder / FILLED, {"store": _identity(folder), "views": dict(views)})


def _identity(folder: Path) -> str:
    online = _before(folder)
    path = database(folder) if online.get("type") == "sqlite" and "path" in online else None
    file = path.stat().st_ino if path is not None and path.exists() else None
    return f"{sorted(online.items())} {file}"
