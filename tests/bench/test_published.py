"""What was published loads as if it had been measured, and is marked as published."""

import polars as pl

from pipeline.bench import published
from pipeline.bench.analysis import reread
from pipeline.bench.analysis.settings import gather, newest, summarise, where
from pipeline.bench.runs import COLUMNS
from pipeline.store.workspace import Workspace


def test_the_published_figures_have_the_columns_of_a_run(workspace: Workspace) -> None:
    table = gather(workspace, [published.NAME])
    assert table.height == 270
    assert dict(table.drop("run", "cores").schema) == dict(COLUMNS)
    assert set(table["run"]) == {published.NAME}
    assert table.filter(pl.col("recall").is_null() | pl.col("qps").is_null()).is_empty()
    assert summarise(table).height == 270  # no two of them are the same setting
    assert newest(workspace) == published.NAME


def test_hardware_and_parameters_are_theirs() -> None:
    gpu = where(published.points(), {"device": "gpu", "nlist": 100, "nprobe": 5, "scenario": "user-user"}).row(
        0, named=True
    )
    assert (gpu["qps"], gpu["build"], gpu["cores"]) == (29381.0, '{"m": 64, "nbits": 8, "nlist": 100}', None)
    assert "A100" in gpu["server"]
    cpu = where(published.points(), {"device": "cpu", "index": "HNSW"})
    assert set(cpu["cores"]) == {96.0}
    assert cpu["build"][0] == '{"M": 12, "efConstruction": 500}'
    assert set(cpu["client"]) == {"pymilvus"}


def test_the_published_speed_ups_are_those_of_the_study() -> None:
    """GPU over CPU 4–15 times item–item, 37–91 times user–user, 4–17 times user–item."""
    given = [tuple(round(t, 1) for t in found.published) for found in reread.fair()]
    assert given == [(3.9, 14.8), (36.8, 91.5), (3.9, 16.9)]


def test_at_equal_recall_the_gpu_is_a_few_times_the_best_of_the_cpu() -> None:
    best = {found.scenario: (round(found.best.least, 1), round(found.best.most, 1)) for found in reread.fair()}
    assert best == {"item-item": (3.0, 3.0), "user-user": (1.4, 3.7), "user-item": (3.0, 3.1)}
    same = {found.scenario: found.same_type.most for found in reread.fair()}
    assert all(same[found.scenario] < found.published[1] for found in reread.fair())


def test_an_ef_below_top_k_is_one_setting_with_a_spread() -> None:
    merged = reread.collapsed_points()
    assert set(merged["points"]) == {4}  # ef 10, 20, 40 and 80 at top-k 100
    assert merged.height == 3 * 8  # scenarios times M
    row = where(reread.settings(), {"scenario": "user-user", "M": 8, "ef": 100}).row(0, named=True)
    assert (row["repeats"], row["recall"], row["qps_low"], row["qps_high"]) == (4, 0.979, 11140, 11407)


def test_the_ceiling_shows_where_qps_do_not_follow_nprobe() -> None:
    fall = {(row["scenario"], row["nlist"]): row for row in reread.ceiling().iter_rows(named=True)}
    assert all(abs(row["fall"] - 1) < 0.03 for (scenario, _), row in fall.items() if scenario != "user-user")
    assert [fall["user-user", 100][q] for q in ("q5", "q10", "q20")] == [29381, 16851, 9791]


def test_the_lessons_name_their_figures() -> None:
    flat, ceiling, bits = reread.lessons()
    assert "96 drawn points are really 24" in flat
    assert "41.9k to 43.7k QPS" in ceiling
    assert "29.4k → 16.9k → 9.8k at nlist 100" in ceiling
    assert "nbits 12 against 8" in bits
    assert "0.665 instead of 0.737" in bits
