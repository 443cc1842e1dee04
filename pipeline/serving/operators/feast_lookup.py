"""Merlin's QueryFeast without its side effect, with its columns beside those that come in."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from merlin.core.protocols import Transformable
from merlin.dag import ColumnSelector
from merlin.schema import ColumnSchema, Schema
from merlin.systems.dag.ops.feast import QueryFeast
from merlin.table import TensorTable

from pipeline.core.arrays import Floats, Ints
from pipeline.core.columns import FIRST_IDX
from pipeline.core.errors import UserError
from pipeline.serving.features.online import refuse_empty
from pipeline.serving.features.remembered import Remembered
from pipeline.serving.features.repository import VIEWS, View, open_store, without_secrets
from pipeline.serving.features.tables import SESSION_FEATURES
from pipeline.serving.operators.artifacts import load_known
from pipeline.serving.operators.names import IDS
from pipeline.serving.operators.passing import NewColumns, PassingOperator, column
from pipeline.serving.operators.variables import REPOSITORY_VARIABLE
from pipeline.serving.stages.histories import Requests
from pipeline.serving.stages.scoring import ITEM_COLUMNS
from pipeline.serving.stages.sessions import SessionReader


class LookUp(QueryFeast):  # type: ignore[misc]
    """QueryFeast that opens the repository when it is loaded, and fills nothing.

    QueryFeast's constructor runs `materialize_incremental`; a store is filled by `features materialize`, and whoever
    serves only reads it.
    """

    def __init__(self, view: View) -> None:
        self.entity_id, self.entity_view, self.entity_column = view.key, view.name, view.key
        self.features = list(view.features)
        self.mh_features: list[str] = []
        self.include_id, self.output_prefix = False, None
        self.input_schema = Schema([ColumnSchema(view.key, dtype=np.int64)])
        self.output_schema = Schema([ColumnSchema(name, dtype=np.float32) for name in view.features])

    def open(self) -> None:
        """Open the repository that the environment names."""
        folder = os.environ.get(REPOSITORY_VARIABLE)
        if not folder:
            raise UserError(f"{REPOSITORY_VARIABLE} names no feature repository: `serve up` sets it.")
        self.repo_path = folder
        self.store = open_store(Path(folder))
        self._known = Remembered(Path(folder), self._asked)

    def read(self, keys: Any) -> Mapping[str, Any]:
        """Give {feature: (n,) float32} of (n,) keys, each asked once, NaN where the store knows nothing."""
        found = self._known.read(np.asarray(keys, np.int64))
        return {name: found[:, at] for at, name in enumerate(self.features)}

    def _asked(self, keys: Ints) -> Floats:
        try:
            found: Transformable = self.transform(
                ColumnSelector([self.entity_column]), TensorTable({self.entity_column: keys})
            )
        except Exception as error:  # each store of Feast's has errors of its own
            told = without_secrets(Path(self.repo_path), error)
            raise UserError(f"The feature store does not answer ({told}): see that it runs, and is filled.") from None
        return np.stack([np.asarray(found[name].values, np.float32) for name in self.features], axis=1)


class _FeastOperator(PassingOperator):
    """Look a view up with QueryFeast."""

    view = VIEWS["items"]

    def __init__(self) -> None:
        super().__init__()
        self.look_up = LookUp(self.view)

    def load(self, folder: Path) -> None:
        """Open the feature repository."""
        self.look_up.open()


class SessionFeatures(_FeastOperator):
    """Look up sessions by 'session_key'; those that the store does not know are read from their 'history'."""

    stage = "session features"
    view = VIEWS["sessions"]
    dropped = ("history",)

    def __init__(self, model: str) -> None:
        super().__init__()
        self.model = model

    def added(self) -> list[ColumnSchema]:
        """Describe a float32 a feature."""
        return [column(name, np.float32) for name in SESSION_FEATURES]

    def load(self, folder: Path) -> None:
        """Open the feature repository, and read the catalogue."""
        super().load(folder)
        self._reader = SessionReader.of(load_known(folder, self.model).catalogue)

    def columns(self, given: Mapping[str, Any]) -> NewColumns:
        """Give the sessions' features."""
        requests = Requests(given["history__values"], given["history__offsets"])
        return dict(self._reader.completed(self.look_up.read(given["session_key"]), requests))

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_reader"}


class CandidateFeatures(_FeastOperator):
    """Look up candidates, (n, k) of 'candidate_ids'."""

    stage = "item features"

    def __init__(self, candidates: int) -> None:
        super().__init__()
        self.candidates = candidates

    def added(self) -> list[ColumnSchema]:
        """Describe what a ranker reads of an item, each (n, k) float32."""
        return [column(name, np.float32, self.candidates) for name in ITEM_COLUMNS]

    def columns(self, given: Mapping[str, Any]) -> NewColumns:
        """Give the candidates' features."""
        ids = given[IDS]
        found = self.look_up.read(np.maximum(ids, FIRST_IDX).ravel())
        refuse_empty(found)
        return {name: found[name].reshape(ids.shape) for name in ITEM_COLUMNS}
