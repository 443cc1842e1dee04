"""What comes to an index after it is built: vectors in a Parquet file, and sessions in a click log."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from pipeline.clicks import ClickSource, read_log
from pipeline.clicks.ingest import check_length
from pipeline.core.arrays import Floats
from pipeline.core.columns import CATEGORY_IDX, ID, ITEM_ID, ITEM_IDX, MOST_TEXT_BYTES, VECTOR
from pipeline.core.errors import UserError
from pipeline.core.text import did_you_mean
from pipeline.search.engine import Scalar
from pipeline.search.usable import usable_vectors
from pipeline.sessions.histories import whole_sessions
from pipeline.store.workspace import Workspace
from pipeline.training.train import load_encoder
from pipeline.vectors.embed import TRAINING

_UNKNOWN = 0  # NVTabular's padding, which histories leave out
_IS: dict[Scalar, str] = {"text": "a text", "int": "a whole number", "float": "a number"}
_DTYPES: dict[Scalar, Any] = {"text": pl.String, "int": pl.Int64, "float": pl.Float64}


def read_rows(path: Path, dim: int, kinds: dict[str, Scalar]) -> tuple[list[str], Floats, pl.DataFrame]:
    """Read (ids, vectors (n, dim) float32, the columns that the file has) or raise UserError that names the row.

    `kinds` are the columns that the index has beside the id, with their types.
    """
    table = _parquet(path)
    for column in (ID, VECTOR):
        if column not in table.columns:
            raise UserError(
                f"{path} has no column '{column}': it has {', '.join(table.columns)}, and rows are (id, vector) and "
                f"{', '.join(kinds) or 'nothing else'}.{did_you_mean(column, table.columns)}"
            )
    if table.is_empty():
        raise UserError(f"{path} holds no row: use a file with at least one.")
    for column in set(table.columns) - {ID, VECTOR, *kinds}:
        raise UserError(
            f"{path} has a column '{column}' that the index has not: it has {', '.join(kinds) or 'none beside the id'}."
            f"{did_you_mean(column, kinds)}"
        )
    ids = _column(path, table[ID], "text")
    if (twice := ids.is_duplicated()).any():
        row = int(np.flatnonzero(twice.to_numpy())[0])
        other = int(np.flatnonzero((ids == ids[row]).to_numpy())[1])
        raise UserError(f"{path}: rows {row + 1} and {other + 1} have the same id '{ids[row]}': keep one of them.")
    columns = [_column(path, table[name], kind) for name, kind in kinds.items() if name in table.columns]
    return ids.to_list(), _vectors(path, table[VECTOR], dim), pl.DataFrame(columns)


def check_training(path: Path, index: dict[str, Any]) -> None:
    """Refuse a file that says that another training made its vectors than those in the index."""
    made = pl.read_parquet_metadata(path).get(TRAINING)
    if None not in (made, index["training"]) and made != index["training"]:
        raise UserError(
            f"{path} holds vectors of another training of {index['model']} than index '{index['name']}' was built "
            "from, and vectors of two trainings do not compare: build the index again, then describe the items again."
        )


def _parquet(path: Path) -> pl.DataFrame:
    if not path.is_file():
        raise UserError(f"There is no file {path}: name a Parquet file with the columns id and vector.")
    try:
        return pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise UserError(f"{path} cannot be read as Parquet: write it again, with the columns id and vector.") from error


def _column(path: Path, values: pl.Series, kind: Scalar) -> pl.Series:
    """Check a column and give it in its type; rows are counted from 1."""
    if not _takes(values, kind):
        raise UserError(f"{path}: '{values.name}' is {values.dtype}, and the index takes {_IS[kind]} there.")
    typed = values.cast(_DTYPES[kind], strict=False)
    bad = typed.is_null()
    if kind == "text":
        bad = bad | (typed.str.len_bytes() > MOST_TEXT_BYTES)
    if values.name == ID:
        bad = bad | (typed.str.strip_chars() == "")
    if values.dtype.is_float():
        bad = bad | ~values.is_finite()
    _refuse(path, bad, values, f"{_IS[kind]}{f' of at most {MOST_TEXT_BYTES} bytes' if kind == 'text' else ''}")
    return typed


def _takes(values: pl.Series, kind: Scalar) -> bool:
    if kind == "text":
        return values.dtype == pl.String or (values.name == ID and values.dtype.is_integer())
    return values.dtype.is_integer() or (kind == "float" and values.dtype.is_float())


def _vectors(path: Path, values: pl.Series, dim: int) -> Floats:
    """Check the vectors row by row and give them as (n, dim) float32."""
    inner = getattr(values.dtype, "inner", None)
    if inner is None or not inner.is_numeric():
        raise UserError(f"{path}: '{VECTOR}' is {values.dtype}, and it takes a list of {dim} numbers a row.")
    lists = values.cast(pl.List(inner))
    lengths = lists.list.len()
    _refuse(path, lists.is_null(), lists, f"a list of {dim} numbers")
    if (wrong := lengths != dim).any():
        row = _first(wrong)
        raise UserError(f"{path}: row {row + 1} has a vector of {lengths[row]}, and the index has {dim} dimensions.")
    flat = lists.explode().cast(pl.Float64, strict=False).fill_null(float("nan"))
    return usable_vectors(str(path), flat.to_numpy().reshape(-1, dim), "")


def _refuse(path: Path, bad: pl.Series, values: pl.Series, takes: str) -> None:
    bad = bad.fill_null(value=True)
    if bad.any():
        row = _first(bad)
        value = str(values[row])[:60]
        raise UserError(f"{path}: row {row + 1} has {values.name} {value}, and it takes {takes}: mend or remove it.")


def _first(bad: pl.Series) -> int:
    return int(np.flatnonzero(bad.to_numpy())[0])


def read_sessions(workspace: Workspace, model: str, source: ClickSource) -> tuple[list[str], Floats, dict[str, Any]]:
    """Encode the sessions of a log with a model: ids, vectors (n, dim), and what was left out.

    Clicks on items that the model does not know are left out, and with them sessions that have no other.
    """
    loaded, catalogue = load_encoder(workspace, model)
    log, notes = read_log(source)
    codes = catalogue.select(pl.col(ITEM_ID).cast(pl.String), ITEM_IDX, CATEGORY_IDX)
    clicks = log.with_columns(pl.col(ITEM_ID).cast(pl.String)).join(
        codes, on=ITEM_ID, how="left", maintain_order="left"
    )
    unknown = int(clicks[ITEM_IDX].null_count())
    ids, histories = whole_sessions(clicks.with_columns(pl.col(ITEM_IDX, CATEGORY_IDX).fill_null(_UNKNOWN)))
    some = histories.end > histories.low
    check_length("session", ids)
    kept = ids.cast(pl.String).filter(pl.Series(some)).to_list()
    vectors = loaded.encode(histories.take(some))
    return kept, vectors, {"skipped": int((~some).sum()), "unknown_clicks": unknown, "notes": notes}
