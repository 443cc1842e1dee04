"""Polars and NVTabular write the same, row for row, and a plain reading of the clicks says the same."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from pipeline.clicks import ClickSource
from pipeline.clicks.ingest import ingest
from pipeline.core.errors import UserError
from pipeline.sessions import splitting
from pipeline.sessions.config import PreprocessConfig
from pipeline.sessions.engines import by_nvtabular, by_polars
from pipeline.sessions.preprocess import PARTS, load_catalogue, load_part, preprocess
from pipeline.sessions.splitting import split_clicks
from pipeline.sessions.vocabulary import Vocabulary
from pipeline.store.workspace import Workspace
from tests.conftest import real_file
from tests.sessions.plainly import parts_of

pytestmark = pytest.mark.merlin
BEGIN = datetime(2024, 3, 1, tzinfo=UTC)
CLICK = st.tuples(st.integers(0, 6), st.integers(0, 9), st.integers(0, 5))  # session, half of a day, item
CONFIG = st.fixed_dictionaries(
    {
        "min_item_count": st.integers(1, 3),
        "last_days": st.sampled_from([0, 0, 1, 3]),
        "train_share": st.sampled_from([1.0, 0.5, 1 / 64]),
        "min_session_length": st.sampled_from([2, 2, 3]),
        "max_session_length": st.sampled_from([0, 0, 4, 6]),
        "collapse_repeats": st.booleans(),
    },
    optional={"test_share": st.sampled_from([0.5, 0.9])},
) | st.fixed_dictionaries(
    {}, optional={"test_days": st.integers(1, 4), "test_from": st.just("2024-03-03T12:00:00")}
).filter(lambda given: len(given) < 2)
CATEGORIES = st.lists(st.sampled_from(["a", "b", "c", None]), min_size=6, max_size=6)


def _tables(clicks: list[tuple[int, int, int]], categories: list[str | None]) -> tuple[pl.LazyFrame, pl.DataFrame]:
    """Lay out clicks as `ingest` does: ordered by session and time, with the items that were clicked."""
    frame = pl.DataFrame(
        {
            "session_id": [session for session, _, _ in clicks],
            "timestamp": [BEGIN + timedelta(hours=12 * half) for _, half, _ in clicks],
            "item_id": [f"i{item}" for _, _, item in clicks],
        }
    ).sort("session_id", "timestamp", maintain_order=True)
    counted = frame.group_by("item_id").len("clicks").sort("item_id")
    known = pl.DataFrame({"item_id": [f"i{n}" for n in range(6)], "category": pl.Series(categories, dtype=pl.String)})
    items = counted.join(known, on="item_id", how="left", maintain_order="left").select("item_id", "category", "clicks")
    return frame.with_columns(pl.lit(None, pl.String).alias("category")).lazy(), items


def _read(folder: Path, part: str) -> pl.DataFrame:
    return pl.read_parquet(folder / part / "*.parquet")


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(CLICK, min_size=4, max_size=40), CATEGORIES, CONFIG, st.sampled_from([3, 10**6]))
def test_both_write_what_a_plain_reading_gives(
    tmp_path_factory: pytest.TempPathFactory,
    clicks: list[tuple[int, int, int]],
    categories: list[str | None],
    options: dict[str, Any],
    held: int,
) -> None:
    table, items = _tables(clicks, categories)
    config = PreprocessConfig(**options)
    category = dict(items.select("item_id", "category").rows())
    ordered = table.select("session_id", "timestamp", "item_id").collect().rows()
    before, splitting._SLICE = splitting._SLICE, held
    try:
        split = split_clicks(table, items, config)
        vocabulary = Vocabulary.of(items, split.items("train"))
        folder = tmp_path_factory.mktemp("polars")
        by_polars.write(folder, split, vocabulary, items)
        expected = parts_of(ordered, category, config)
        for part in PARTS:
            assert _read(folder, part).select("session_id", "item_idx", "category_idx").rows() == expected[part]
        other = tmp_path_factory.mktemp("nvtabular")
        by_nvtabular.write(other, split, vocabulary, items)
        for part in PARTS:
            assert_frame_equal(_read(folder, part), _read(other, part))
    except UserError as error:  # too few sessions, all at once, or no category for NVTabular to read: a sentence
        if re.search("a split needs at least 2|leaves nothing", str(error)):
            with pytest.raises(ValueError, match="."):
                parts_of(ordered, category, config)
        elif "use --engine polars" not in str(error):
            raise
    finally:
        splitting._SLICE = before


@pytest.mark.parametrize(
    "source",
    [
        "shop:3000",
        "synthetic:2000",
        pytest.param("eshop-clothing-2008.zip", marks=pytest.mark.realdata),
        pytest.param("yoochoose-clicks-100k.dat.gz", marks=pytest.mark.realdata),
    ],
)
def test_the_whole_stage_is_the_same_by_either_engine(tmp_path: Path, source: str) -> None:
    workspace = Workspace.open(tmp_path / "ws")
    ingest(workspace, ClickSource(source if ":" in source else str(real_file(source))))
    tables: dict[str, list[pl.DataFrame]] = {}
    texts: dict[str, list[str]] = {}
    for engine in ("polars", "nvtabular"):
        workspace.remove("data")
        done = preprocess(workspace, PreprocessConfig(), engine=engine)
        assert done.manifest["metrics"]["engine"] == engine
        folder = workspace.stage("data")
        kept = [pl.read_parquet(folder / "sequences" / f"{part}.parquet") for part in PARTS]
        tables[engine] = [load_part(workspace, part) for part in PARTS]
        tables[engine] += [load_catalogue(workspace), *kept, pl.read_parquet(folder / "categories.parquet")]
        texts[engine] = [(folder / part / "schema.pbtxt").read_text() for part in PARTS]
    assert (workspace.stage("data") / "workflow" / "workflow.pkl").exists()
    for ours, theirs in zip(tables["polars"], tables["nvtabular"], strict=True):
        assert_frame_equal(ours, theirs)
    assert texts["polars"] == texts["nvtabular"]
    for clicks, sequences in zip(tables["polars"][:2], tables["polars"][3:5], strict=True):
        exploded = sequences.explode("item_idx", "category_idx", "timestamp")
        assert_frame_equal(exploded.select(clicks.columns), clicks)


def test_merlin_reads_the_schema_as_it_writes_its_own(tmp_path: Path) -> None:
    from merlin.schema import Tags
    from merlin.schema.io.tensorflow_metadata import TensorflowMetadata

    workspace = Workspace.open(tmp_path / "ws")
    ingest(workspace, ClickSource("synthetic:300"))
    preprocess(workspace, PreprocessConfig())
    schema = TensorflowMetadata.from_proto_text_file(str(workspace.stage("data") / "train")).to_merlin_schema()
    assert schema.column_names == load_part(workspace, "train").columns
    assert schema.select_by_tag(Tags.ITEM_ID).column_names == ["item_idx"]
    assert schema.select_by_tag(Tags.SESSION_ID).column_names == ["session_id"]
    assert schema.select_by_tag(Tags.CATEGORICAL).column_names == ["item_idx", "category_idx"]
    assert schema["item_idx"].int_domain.max == load_catalogue(workspace)["item_idx"].max()


def test_an_engine_that_is_not_known_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no engine 'dask': choose polars, nvtabular"):
        preprocess(Workspace.open(tmp_path / "ws"), PreprocessConfig(), engine="dask")


def test_a_cluster_of_two_processes_writes_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from distributed import LocalCluster

    monkeypatch.setattr(splitting, "_SLICE", 1_000)
    monkeypatch.setattr(by_nvtabular, "_PART_BYTES", 20_000)
    workspace = Workspace.open(tmp_path / "ws")
    ingest(workspace, ClickSource("shop:3000"))
    preprocess(workspace, PreprocessConfig())
    expected = [load_part(workspace, part) for part in PARTS]
    workspace.remove("data")
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1") as cluster:
        preprocess(workspace, PreprocessConfig(), engine="nvtabular", scheduler=cluster.scheduler_address)
    assert len(list((workspace.stage("data") / "train").glob("*.parquet"))) > 2
    for part, frame in zip(PARTS, expected, strict=True):
        assert_frame_equal(load_part(workspace, part), frame)


def test_a_cluster_is_for_nvtabular_only(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path / "ws")
    with pytest.raises(UserError, match="--scheduler .* is for NVTabular: add --engine nvtabular"):
        preprocess(workspace, PreprocessConfig(), scheduler="tcp://127.0.0.1:1")
