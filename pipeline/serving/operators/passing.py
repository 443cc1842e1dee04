"""What the operators have in common: they add columns to what comes in, pass the rest on, and say how long they took.

Merlin's executors keep no node's output: a node that two others build on runs twice. So an ensemble that asks a server
is one chain, in which each operator hands on what later ones need.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from merlin.dag import BaseOperator, ColumnSelector, DataFormats
from merlin.schema import ColumnSchema, Schema

NewColumns = dict[str, Any]
CLOCK = "clock"  # (n,) float64, when the last of our operators was done, in seconds


def column(name: str, dtype: Any, *dims: int) -> ColumnSchema:
    """Describe a column with a row a session, each of `dims`; none for a number."""
    return ColumnSchema(name, dtype=dtype, dims=(None, *dims))


def milliseconds(stage: str) -> str:
    """Name the column that holds what a stage took."""
    return f"ms_{stage.replace(' ', '_')}"


def waited(stage: str) -> str:
    """Name the column that holds how long after our operator before it a stage began: what one of Merlin's took."""
    return f"wait_{stage.replace(' ', '_')}"


class PassingOperator(BaseOperator, ABC):  # type: ignore[misc]
    """Add `added` columns to those that come in, without those `dropped`."""

    stage = ""
    dropped: tuple[str, ...] = ()

    @abstractmethod
    def added(self) -> list[ColumnSchema]:
        """Describe the columns that `columns` gives."""

    @abstractmethod
    def columns(self, given: Mapping[str, Any]) -> NewColumns:
        """Compute the columns of a batch; given: what comes in, a ragged column as NAME__values and NAME__offsets."""

    def compute_output_schema(
        self, input_schema: Schema, col_selector: ColumnSelector, prev_output_schema: Schema | None = None
    ) -> Schema:
        """Describe what goes out: what comes in, and what is added."""
        times = [column(name(self.stage), np.float64) for name in (milliseconds, waited)]
        new = [*self.added(), *times, column(CLOCK, np.float64)]
        names = {one.name for one in new}
        passed = [
            one
            for one in input_schema.column_schemas.values()
            if one.name not in names and one.name not in self.dropped
        ]
        return Schema([*passed, *new])

    def transform(self, col_selector: ColumnSelector, transformable: Any) -> Any:
        """Add the columns to a batch."""
        began = time.perf_counter()
        given = transformable.to_dict()
        out = {name: values for name, values in given.items() if name.split("__")[0] not in self.dropped}
        new = self.columns(given)
        ended = time.perf_counter()
        out |= new
        rows = len(next(iter(new.values())))
        out[milliseconds(self.stage)] = np.full(rows, (ended - began) * 1000)
        out[waited(self.stage)] = np.full(rows, (began - float(given.get(CLOCK, [began])[0])) * 1000)
        out[CLOCK] = np.full(rows, ended)
        return type(transformable)(out)

    def load_artifacts(self, artifact_path: str | None = None) -> None:
        """Read what lies beside the ensemble; Merlin asks once without a place, as a graph is made."""
        if artifact_path:
            self.load(Path(artifact_path))

    def load(self, folder: Path) -> None:
        """Read what lies in `folder`; nothing, for most operators."""

    @property
    def supported_formats(self) -> DataFormats:
        """Take arrays in memory."""
        return DataFormats.NUMPY_TENSOR_TABLE
