"""Stage 'vectors/NAME' from a file: vectors of one's own, as Parquet (id, vector), for `index build --model NAME`."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import polars as pl
from pydantic import Field, model_validator

from pipeline.core.arrays import Floats
from pipeline.core.columns import MOST_TEXT_BYTES
from pipeline.core.errors import UserError
from pipeline.core.options import Options
from pipeline.core.progress import Progress, silent
from pipeline.models.registry import KINDS
from pipeline.search.usable import usable_vectors
from pipeline.store.stage import Done, Metrics, run_stage
from pipeline.store.workspace import Workspace
from pipeline.vectors.embed import VECTORS, vectors_stage, write_vectors
from pipeline.vectors.files import DISTANCE, read_arrays

METRICS = ("IP", "L2", "COSINE")
MOST_DIM = 32_768  # https://milvus.io/docs/v2.3.x/limitations.md
_NAME = re.compile(r"[a-z0-9][a-z0-9_]{0,29}")


class ImportConfig(Options):
    """Where vectors of one's own come from, and how they are compared where an index does not say."""

    file: str = Field(description="The file, as an absolute path.")
    metric: str = Field(default="", description="IP, L2 or COSINE; empty for what the file says, or IP.")
    columns: str = Field(
        default="",
        description="Which columns of Parquet or CSV are taken, e.g. 'id=sku,vector=f*'; empty for those that are "
        "clear.",
    )

    @model_validator(mode="after")
    def _is_a_metric(self) -> Self:
        if self.metric and self.metric not in METRICS:
            raise UserError(f"There is no metric '{self.metric}': choose {', '.join(METRICS)}.")
        return self


def import_vectors(workspace: Workspace, name: str, config: ImportConfig, progress: Progress = silent) -> Done:
    """Read a file's vectors, check every one, and write items.parquet (id, vector)."""
    check_vectors_name(name)
    path = existing(config.file)

    def body(folder: Path, report: Progress) -> Metrics:
        read = read_vectors(path, config.metric, config.columns, progress=report)
        report(2, 3, f"writing {len(read.vectors):,} vectors")
        write_vectors(folder / "items.parquet", read.ids, read.vectors)
        left = ", ".join(name or "'' (without a name)" for name in read.left_out[:12])
        left += ", …" if len(read.left_out) > 12 else ""
        rows, dim = read.vectors.shape
        about = {"items": rows, "dim": dim, "metric": read.metric, "brought": path.name}
        note = f"Left out, as neither ids nor vectors: {left}; --columns takes others."
        return about | ({"notes": [note]} if left else {})

    return run_stage(workspace, vectors_stage(name), config, body, source=file_digest(path), progress=progress)


@dataclass(frozen=True)
class Imported:
    """What a file holds, as Milvus takes it."""

    ids: pl.Series
    """(n) text."""
    vectors: Floats
    """(n, dim) float32."""
    metric: str
    left_out: tuple[str, ...]
    """Columns that are neither ids nor vectors."""
    queries: Floats | None
    """(q, dim) float32, where they were asked for and the file has them."""


def existing(file: str) -> Path:
    """Give the path of a file, or raise UserError where there is none."""
    path = Path(file)
    if not path.is_file():
        raise UserError(f"There is no file {path}: name one of .npy, .npz, Parquet, CSV or HDF5.")
    return path


def read_vectors(
    path: Path, metric: str = "", columns: str = "", *, queries: bool = False, progress: Progress = silent
) -> Imported:
    """Read a file once and check all that is taken of it; the metric is the one given, else the file's, else IP."""
    read = read_arrays(path, columns, queries=queries)
    progress(1, 3, "checking the vectors")
    metric = metric or _metric_of(path, read.distance)
    vectors = _checked(path, read.numbers, metric)
    asked = None if read.queries is None else _checked(path, read.queries, metric)
    return Imported(_checked_ids(path, read.ids), vectors, metric, read.left_out, asked)


def check_vectors_name(name: str) -> None:
    """Refuse a name that is a model's, or that cannot be a part of an index's name."""
    if name in KINDS:
        raise UserError(f"'{name}' is a model, whose vectors `embed` makes: name yours otherwise, such as 'my_{name}'.")
    if not _NAME.fullmatch(name):
        near = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:30]
        raise UserError(
            f"'{name}' cannot name vectors: take up to 30 of a to z, 0 to 9 and underscores, such as "
            f"'{near or 'mine'}'."
        )


def _metric_of(path: Path, distance: str) -> str:
    """Give the metric for the distance that a file names, IP where it names none, or raise UserError."""
    if distance and distance not in DISTANCE:
        raise UserError(
            f"{path} compares by '{distance}', and vectors are compared by {', '.join(METRICS)} here: choose one of "
            "them with --metric where it orders these vectors alike."
        )
    return DISTANCE.get(distance, "IP")


def _checked(path: Path, vectors: Any, metric: str) -> Floats:
    """Give (n, dim) float32 vectors that Milvus takes; a UserError names what it would not."""
    if vectors.ndim != 2 or not vectors.shape[1]:
        raise UserError(f"{path} holds numbers of shape {vectors.shape}: give one row per vector, (rows, dimensions).")
    if vectors.dtype.kind not in "fiu":
        raise UserError(f"{path} holds {vectors.dtype} instead of numbers: give float32, or values that convert to it.")
    rows, dim = vectors.shape
    if rows < 2:
        raise UserError(
            f"{path} holds {rows} vector{'s' * (rows != 1)}: give at least 2, so that each has a neighbour."
        )
    if dim > MOST_DIM:
        raise UserError(f"{path} has {dim:,} dimensions: Milvus takes at most {MOST_DIM:,}, so shorten the vectors.")
    return usable_vectors(str(path), vectors, metric)


def _checked_ids(path: Path, ids: pl.Series) -> pl.Series:
    texts = _texts(path, ids)
    missing = texts.is_null() | (texts.str.strip_chars() == "")
    if missing.any():
        raise UserError(f"{path}: row {missing.arg_max() + 1:,} has no id: give each vector one.")  # type: ignore[operator]
    if (twice := texts.filter(texts.is_duplicated())).len():
        raise UserError(f"{path} has the id '{twice[0]}' more than once: keep one row an id.")
    if (longest := int(texts.str.len_bytes().max() or 0)) > MOST_TEXT_BYTES:  # type: ignore[arg-type]
        raise UserError(f"{path} has an id of {longest:,} bytes: shorten ids to at most {MOST_TEXT_BYTES}.")
    return texts


def _texts(path: Path, ids: pl.Series) -> pl.Series:
    """Give ids as text; whole numbers that were made decimals, as pandas does beside a gap, are whole again."""
    if not (ids.dtype.is_integer() or ids.dtype.is_float() or ids.dtype in (pl.String, pl.Categorical, pl.Enum)):
        raise UserError(f"{path} has ids of type {ids.dtype}: use whole numbers or text, or choose --columns id=….")
    texts = ids.cast(pl.String).str.strip_chars()
    numbers = texts.cast(pl.Float64, strict=False)
    all_numbers = (numbers.is_not_null() | texts.is_null() | (texts == "")).all()
    if ids.dtype.is_integer() or not all_numbers:
        return texts
    texts = texts.set(numbers.is_nan().fill_null(value=False), None)
    if texts.drop_nulls().str.contains(r"^-?\d+\.0+$|^$").all():
        return texts.str.replace(r"\.0+$", "")
    if ids.dtype.is_float() and texts.null_count() < len(texts):
        raise UserError(
            f"{path} has ids that are not whole, such as {texts.drop_nulls()[0]}: use whole numbers or text."
        )
    return texts


def default_metric(workspace: Workspace, model: str) -> str:
    """Give the metric that vectors are compared by where nobody says: as they were imported, and IP for a model's."""
    return str(((workspace.manifest(vectors_stage(model)) or {}).get("metrics") or {}).get("metric", "IP"))


def list_vectors(workspace: Workspace) -> list[dict[str, Any]]:
    """List all vectors, a model's and imported ones, as manifests tell it."""
    found = ((name.partition("/")[2], workspace.manifest(name)) for name in workspace.stages(VECTORS))
    return [
        {
            "name": name,
            "from": manifest["metrics"].get("brought", "embed"),
            **{key: manifest["metrics"].get(key) for key in ("items", "sessions", "dim")},
            "metric": manifest["metrics"].get("metric", "IP"),
            "created": manifest["created"],
        }
        for name, manifest in found
        if manifest
    ]


def file_digest(path: Path) -> str:
    """Give a digest of a file's content, or raise UserError where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): check its permissions.") from error
