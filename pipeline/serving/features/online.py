"""Look features up while a request is answered: from SQLite at once, from any other store through Feast."""

import sqlite3
import threading
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.core.arrays import Floats, Ints
from pipeline.core.columns import TRAIN_CLICKS
from pipeline.core.errors import UserError
from pipeline.serving.features.remembered import Remembered
from pipeline.serving.features.repository import VIEWS, View, filled, online_type, open_store, without_secrets
from pipeline.serving.features.sqlite import database, read, table_name

if TYPE_CHECKING:
    from feast import FeatureStore

FeatureColumns = Mapping[str, Floats]


def refuse_empty(items: FeatureColumns) -> None:
    """Raise UserError where a store knows none of the items asked for: a filled one holds every item of training."""
    clicks = items[TRAIN_CLICKS]
    if len(clicks) and np.isnan(clicks).all():
        raise UserError(f"The feature store knows none of these {len(clicks):,} items: run `features materialize`.")


def through_feast(folder: Path, store: "FeatureStore", of: View, keys: Ints) -> FeatureColumns:
    """Have Feast look up what a view knows of (n,) keys; raise UserError where the store does not answer."""
    rows = [{of.key: int(key)} for key in keys]
    try:
        answer = store.get_online_features([f"{of.name}:{f}" for f in of.features], rows).to_dict()
    except Exception as error:  # each store of Feast's has errors of its own
        told = without_secrets(folder, error)
        raise UserError(f"The feature store does not answer ({told}): see that it runs.") from None
    return {f: np.array(answer[f], np.float32) for f in of.features}


class OnlineFeatures:
    """One repository's online store; several threads may ask at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._own = threading.local()
        self._views = {name: Remembered(folder, partial(self._asked, of)) for name, of in VIEWS.items()}
        self._store = None if online_type(folder) == "sqlite" else open_store(folder)
        if not filled(folder).get("items", {}).get("done"):
            raise UserError("The online store holds no items yet: run `features materialize`.")

    def items(self, keys: Ints) -> FeatureColumns:
        """Give what is known of items by item_idx: {feature: (n,) float32}, NaN where nothing is."""
        found = self.read("items", keys)
        refuse_empty(found)
        return found

    def sessions(self, keys: Ints) -> FeatureColumns:
        """Give what is known of sessions by their keys: {feature: (n,) float32}, NaN where nothing is."""
        return self.read("sessions", keys)

    def read(self, name: str, keys: Ints) -> FeatureColumns:
        """Give what a view knows of (n,) keys; raise UserError where the store does not answer."""
        found = self._views[name].read(keys)
        return {feature: found[:, at] for at, feature in enumerate(VIEWS[name].features)}

    def _asked(self, of: View, keys: Ints) -> Floats:
        """Ask the store for (n,) keys: (n, features)."""
        if self._store is not None:
            found = through_feast(self.folder, self._store, of, keys)
            return np.stack([found[feature] for feature in of.features], axis=1)
        try:
            return read(self._connection(), table_name(self.folder, of.name), of.key, keys, of.features)
        except sqlite3.Error as error:
            raise UserError(
                f"The feature store {database(self.folder)} does not answer ({error}): remove that file, then run "
                "`features apply` and `features materialize`."
            ) from error

    def _connection(self) -> sqlite3.Connection:
        """Give this thread's connection; the file is opened read-only, and anew where it was replaced."""
        path = database(self.folder)
        try:
            now = path.stat().st_ino
        except FileNotFoundError as error:
            raise UserError(
                f"The feature store {path} is gone: run `features apply` and `features materialize`."
            ) from error
        if getattr(self._own, "inode", None) != now:
            if not filled(self.folder).get("items", {}).get("done"):
                raise UserError(f"The feature store {path} was replaced and is not filled: run `features materialize`.")
            self._own.connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)
            self._own.inode = now
        return self._own.connection  # type: ignore[no-any-return]
