"""Stage 'data': clicks -> training and test sessions, encoded by an NVTabular workflow that is kept with its schema."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
from pydantic import Field

from pipeline.clicks.ingest import STAGE as CLICKS
from pipeline.clicks.ingest import load_clicks, load_items
from pipeline.core.columns import CATEGORY, CATEGORY_IDX, ITEM_ID, ITEM_IDX, SESSION_ID, TIMESTAMP
from pipeline.core.errors import UserError
from pipeline.core.options import Options
from pipeline.core.progress import Progress, silent
from pipeline.store.stage import Done, Metrics, need, run_stage
from pipeline.store.workspace import Workspace

STAGE = "data"
TRAIN_SHARE = 0.8  # of the sessions, by the time they end, where no boundary is given


class PreprocessConfig(Options):
    """How clicks become sessions to train on and to test with."""

    test_from: str | None = Field(
        default=None,
        description="ISO time (UTC where it says no zone); a session whose last click is at or after it is a test "
        "session.",
    )
    min_item_count: int = Field(
        default=1,
        description="Items clicked less often than this are dropped, before sessions of one click are.",
    )


def preprocess(workspace: Workspace, config: PreprocessConfig, progress: Progress = silent) -> Done:
    """Split the sessions by time, fit the encoding on the training part, and write both parts encoded."""

    def body(folder: Path, report: Progress) -> Metrics:
        report(0, 4, "dropping sessions of one click, splitting by time")
        kept = usable_clicks(load_clicks(workspace), load_items(workspace), config.min_item_count)
        boundary = split_time(kept, config.test_from)
        parts = dict(zip(("train", "test"), split(kept, boundary), strict=True))
        report(1, 4, "fitting the NVTabular workflow")
        encode(folder, parts)
        report(3, 4, "writing the catalogue")
        items = catalogue(folder, parts["train"], load_items(workspace))
        items.write_parquet(folder / "items.parquet")
        return {
            "boundary": boundary.isoformat(),
            "train_sessions": parts["train"][SESSION_ID].n_unique(),
            "test_sessions": parts["test"][SESSION_ID].n_unique(),
            "train_clicks": parts["train"].height,
            "test_clicks": parts["test"].height,
            "items": items.height,
        }

    packages = ("nvtabular", "merlin-core", "polars")
    return run_stage(workspace, STAGE, config, body, inputs=[CLICKS], packages=packages, progress=progress)


def usable_clicks(clicks: pl.LazyFrame, items: pl.DataFrame, min_item_count: int) -> pl.DataFrame:
    """Keep clicks on items that are frequent enough, of sessions of two clicks or more; the category is the item's."""
    frequent = items.filter(pl.col("clicks") >= min_item_count).select(ITEM_ID, CATEGORY)
    kept = (
        clicks.drop(CATEGORY)
        .join(frequent.lazy(), on=ITEM_ID, how="inner", maintain_order="left")
        .filter(pl.len().over(SESSION_ID) > 1)
        .collect()
    )
    if kept[SESSION_ID].n_unique() < 2:
        raise UserError(
            f"With min_item_count {min_item_count}, {kept[SESSION_ID].n_unique()} sessions of two clicks or more are "
            "left, and a split needs at least 2: lower --min-item-count or add more clicks."
        )
    return kept


def split_time(kept: pl.DataFrame, test_from: str | None) -> datetime:
    """Give the boundary: the one asked for, or the time by which 80 % of the sessions have ended."""
    ends = kept.group_by(SESSION_ID).agg(pl.col(TIMESTAMP).max())[TIMESTAMP].sort()
    first, last = ends[0], ends[-1]
    if test_from is None:
        # The earliest end that leaves 80 % before it; where many end at once (whole days), the next later time.
        boundary = ends[min(int(TRAIN_SHARE * len(ends)), len(ends) - 1)]
        if boundary == first:
            later = ends.filter(ends > first)
            boundary = later[0] if len(later) else None
    else:
        boundary = _parse_time(test_from)
    if boundary is None or not first < boundary <= last:
        asked = f"--test-from {test_from}" if test_from else "The split by time"
        span = f"{first:%Y-%m-%d %H:%M:%S} and {last:%Y-%m-%d %H:%M:%S} UTC"
        raise UserError(
            f"{asked} leaves nothing to train on or nothing to test with: the sessions end between {span}; "
            "choose a time after the first and at most the last."
        )
    return boundary


def _parse_time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise UserError(f"--test-from {text!r} is not an ISO time: write it like 2014-04-07T00:00:00.") from error
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def split(kept: pl.DataFrame, boundary: datetime) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Split into training and test clicks: a session is test when its last click is at or after `boundary`."""
    is_test = pl.col(TIMESTAMP).max().over(SESSION_ID) >= boundary
    flagged = kept.with_columns(is_test.alias("_test"))
    return flagged.filter(~pl.col("_test")).drop("_test"), flagged.filter(pl.col("_test")).drop("_test")


def encode(folder: Path, parts: dict[str, pl.DataFrame]) -> None:
    """Fit Categorify and tags on the training part; write each part, the schema and the workflow."""
    import nvtabular as nvt
    from merlin.io import Dataset
    from merlin.schema import Tags
    from nvtabular import ops

    tables = {name: _raw(folder, name, part) for name, part in parts.items()}
    encoder = {"out_path": str(folder / "categories"), "num_buckets": None}
    item = [ITEM_ID] >> ops.Categorify(**encoder) >> ops.AddTags([Tags.ITEM_ID, Tags.ITEM, Tags.CATEGORICAL])
    category = [CATEGORY] >> ops.Categorify(**encoder) >> ops.AddTags([Tags.ITEM, Tags.CATEGORICAL])
    session = [SESSION_ID] >> ops.AddTags([Tags.SESSION_ID])
    named = item + category >> ops.Rename(f=lambda column: {ITEM_ID: ITEM_IDX, CATEGORY: CATEGORY_IDX}[column])
    workflow = nvt.Workflow(named + session + [TIMESTAMP])
    workflow.fit(Dataset(str(tables["train"]), engine="parquet"))
    for name, table in tables.items():
        encoded = workflow.transform(Dataset(str(table), engine="parquet"))
        encoded.to_parquet(str(folder / name), out_files_per_proc=1)
        table.unlink()
    workflow.save(str(folder / "workflow"))


def _raw(folder: Path, name: str, part: pl.DataFrame) -> Path:
    path = folder / f"{name}-raw.parquet"
    part.with_columns(pl.col(TIMESTAMP).dt.replace_time_zone(None)).to_pandas().to_parquet(path, index=False)
    return path


def catalogue(folder: Path, train: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    """List the items seen in training: item_idx, category_idx, clicks in training, and all that is known of them."""
    categories = _codes(folder, CATEGORY, CATEGORY_IDX)
    counts = train.group_by(ITEM_ID).len("train_clicks")
    return (
        _codes(folder, ITEM_ID, ITEM_IDX)
        .cast({ITEM_ID: items.schema[ITEM_ID]})
        .join(items, on=ITEM_ID, how="left")
        .join(categories.cast({CATEGORY: pl.String}), on=CATEGORY, how="left")
        .join(counts, on=ITEM_ID, how="left")
        .sort(ITEM_IDX)
    )


def _codes(folder: Path, column: str, code: str) -> pl.DataFrame:
    """Read the vocabulary that NVTabular wrote for a column: its values and their codes."""
    import pandas as pd

    table = pd.read_parquet(folder / "categories" / "categories" / f"unique.{column}.parquet")
    codes = pl.DataFrame({code: table.index.to_numpy(), column: table[column].to_list()}, strict=False)
    return codes.filter(pl.col(column).is_not_null() & (pl.col(code) >= 3)).cast({code: pl.Int64})


def load_part(workspace: Workspace, part: str) -> pl.DataFrame:
    """Read 'train' or 'test': session_id, timestamp, item_idx, category_idx, sorted by session and time."""
    need(workspace, STAGE, "run `preprocess`, or press 'Preprocess' on the Data page.")
    return pl.read_parquet(workspace.stage(STAGE) / part / "*.parquet")


def load_catalogue(workspace: Workspace) -> pl.DataFrame:
    """Read the items seen in training, by item_idx."""
    need(workspace, STAGE, "run `preprocess`, or press 'Preprocess' on the Data page.")
    return pl.read_parquet(workspace.stage(STAGE) / "items.parquet")
