"""Encode and write by NVTabular: a workflow that is kept; on pandas, on cuDF with a GPU, or on a Dask cluster."""

from collections.abc import Iterator
from contextlib import closing, nullcontext
from pathlib import Path

import polars as pl
import pyarrow as pa

from pipeline.core.cluster import connect
from pipeline.core.columns import CATEGORY, CATEGORY_IDX, ITEM_ID, ITEM_IDX, SESSION_ID, TIMESTAMP
from pipeline.core.errors import UserError
from pipeline.sessions.dropping import CODE
from pipeline.sessions.splitting import PARTS, ClickSplit
from pipeline.sessions.vocabulary import Vocabulary
from pipeline.store.parquet import write_tables

_PART_BYTES = 256_000_000  # that a worker of a cluster encodes at once


def write(
    folder: Path, split: ClickSplit, vocabulary: Vocabulary, items: pl.DataFrame, scheduler: str | None = None
) -> None:
    """Fit Categorify to the vocabulary, encode both parts, and keep the workflow in folder/workflow.

    With `scheduler`, the workers of that Dask cluster encode: they see `folder` under the same path.
    """
    _check(split, items)
    with closing(connect(scheduler, as_default=True)) if scheduler else nullcontext() as client:
        _write(folder, split, vocabulary, items, on_cluster=client is not None)


def _write(folder: Path, split: ClickSplit, vocabulary: Vocabulary, items: pl.DataFrame, on_cluster: bool) -> None:
    import nvtabular as nvt
    from merlin.io import Dataset
    from merlin.schema import Tags
    from nvtabular import ops

    more = {"part_size": _PART_BYTES} if on_cluster else {}
    tables = {part: _raw(folder, part, split, items) for part in PARTS}
    names = {ITEM_ID: vocabulary.items[ITEM_ID], CATEGORY: vocabulary.categories[CATEGORY]}
    vocabs = {name: values.to_pandas() for name, values in names.items()}  # equal counts would be numbered by chance
    encoder = {"out_path": str(folder / "categories"), "num_buckets": None, "vocabs": vocabs}
    item = [ITEM_ID] >> ops.Categorify(**encoder) >> ops.AddTags([Tags.ITEM_ID, Tags.ITEM, Tags.CATEGORICAL])
    category = [CATEGORY] >> ops.Categorify(**encoder) >> ops.AddTags([Tags.ITEM, Tags.CATEGORICAL])
    session = [SESSION_ID] >> ops.AddTags([Tags.SESSION_ID])
    named = item + category >> ops.Rename(f=lambda column: {ITEM_ID: ITEM_IDX, CATEGORY: CATEGORY_IDX}[column])
    workflow = nvt.Workflow(named + session + [TIMESTAMP])
    workflow.fit(Dataset(str(tables["train"]), engine="parquet", **more))
    for name, table in tables.items():
        encoded = workflow.transform(Dataset(str(table), engine="parquet", **more))
        if on_cluster:  # a file a part, named in their order; Dataset's own way mixes the parts of a worker
            encoded.to_ddf().to_parquet(str(folder / name), write_index=False, name_function=_file)
        else:
            encoded.to_parquet(str(folder / name), out_files_per_proc=1)
        table.unlink()
    workflow.save(str(folder / "workflow"))


def _file(part: int) -> str:
    return f"part_{part:06}.parquet"


def _check(split: ClickSplit, items: pl.DataFrame) -> None:
    """Raise UserError for a part without any category, which Categorify cannot read (nvtabular 23.8: an IndexError)."""
    known = items[CATEGORY].is_not_null().to_numpy()
    for part in PARTS:
        if not known[split.items(part)].any():
            raise UserError(
                f"No click of the {part} sessions has a category, and NVTabular encodes no column without a value: use "
                "--engine polars."
            )


def _raw(folder: Path, part: str, split: ClickSplit, items: pl.DataFrame) -> Path:
    """Write a part's clicks as they were read, each with its item's category."""
    path = folder / f"{part}-raw.parquet"
    write_tables(path, _tables(split, part, items))
    return path


def _tables(split: ClickSplit, part: str, items: pl.DataFrame) -> Iterator[pa.Table]:
    ids, categories = items[ITEM_ID], items[CATEGORY].cast(pl.String)
    for clicks, _ in split.slices(part):
        read = [ids.gather(clicks[CODE]).alias(ITEM_ID), categories.gather(clicks[CODE]).alias(CATEGORY)]
        yield pl.DataFrame([*clicks.drop(CODE), *read]).to_arrow(compat_level=pl.CompatLevel.oldest())
