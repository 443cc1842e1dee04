"""The published two-tower: Merlin's sizes, loss and steps; it learns its sessions, and nothing about new ones."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline.core.columns import CATEGORY_IDX, FIRST_IDX, ITEM_ID, ITEM_IDX, SESSION_ID, TIMESTAMP
from pipeline.core.errors import StopEarly
from pipeline.models.contract import KnowsSessions, TrainingInput
from pipeline.models.lazy_adam import AdamTable, Schedule, adam
from pipeline.models.registry import KINDS
from pipeline.models.two_tower_published import model as two_tower_published
from pipeline.models.two_tower_published.model import PublishedConfig, PublishedTwoTower
from pipeline.models.two_tower_published.network import ClickRows, PublishedNetwork, _Pairs, table_dim
from pipeline.sessions.histories import hold_out, next_clicks
from tests.models import merlin_published

SIZES = {"session": 503, "age": 61, "item": 83, "category": 9}


def _rows(count: int, seed: int = 1) -> ClickRows:
    """Make clicks of which a session's are on neighbouring items, and an item's category is mostly one."""
    random = np.random.default_rng(seed)
    session = random.integers(FIRST_IDX, SIZES["session"], count)
    item = FIRST_IDX + (session * 7 + random.integers(3, size=count)) % (SIZES["item"] - FIRST_IDX)
    category = np.where(random.random(count) < 0.9, FIRST_IDX + item % 5, 8)
    columns = session, FIRST_IDX + session % 58, item, category
    return ClickRows(*(column.astype(np.int32) for column in columns))


@pytest.mark.merlin
def test_loss_recall_and_steps_are_those_of_merlin_models(tmp_path: Path) -> None:
    import merlin.models.tf as mm

    rows, batch = _rows(1280), 128
    network = PublishedNetwork(SIZES, Schedule(0.001, 200), 1)
    model = merlin_published.build(SIZES)
    data = merlin_published.dataset(rows, tmp_path / "clicks.parquet", SIZES)
    in_order = mm.Loader(data, batch_size=batch, shuffle=False)
    first = model.evaluate(in_order, verbose=0, return_dict=True)
    merlin_published.copy_weights(model, network)
    batches = [rows.take(slice(begin, begin + batch)) for begin in range(0, len(rows), batch)]
    ours = np.mean([network.judge(one) for one in batches], axis=0)
    assert ours[0] == pytest.approx(first["loss"], abs=1e-4)
    least, most = np.mean([_recall_within_rounding(network, one) for one in batches], axis=0)
    assert least - 1e-6 <= first["recall_at_10"] <= most + 1e-6
    assert least <= ours[1] <= most
    assert most - least < 5 / len(rows), "rounding leaves hardly an example open"

    model.fit(in_order, epochs=20, verbose=0)
    for one in batches * 20:
        network.train(one)
    after = model.evaluate(in_order, verbose=0, return_dict=True)
    ours = np.mean([network.judge(one) for one in batches], axis=0)
    assert after["loss"] < first["loss"] - 0.05
    assert ours[0] == pytest.approx(after["loss"], rel=3e-3)
    assert ours[1] == pytest.approx(after["recall_at_10"], abs=0.02)


def _recall_within_rounding(network: PublishedNetwork, batch: ClickRows) -> tuple[float, float]:
    """Give the least and the most recall@10 that float32 sums in another order, as other processors add, may give."""
    pairs = _Pairs.of(batch)
    queries = network.encode("query", batch.session, batch.age)
    items = network.encode("item", pairs.items, pairs.categories)
    scores = queries.astype(np.float64) @ items.T.astype(np.float64)
    own = scores[np.arange(len(scores)), pairs.own][:, None]
    off = 1e-5 * (np.abs(queries) @ np.abs(items).T).max()
    found = []
    for shifted in (own - off, own + off):
        higher = scores > shifted
        higher[pairs.rows, pairs.columns] = False
        found.append(float((1 + higher @ pairs.counts <= 10).mean()))
    return found[0], found[1]


def test_rows_that_are_left_alone_are_where_an_adam_over_all_rows_would_have_them() -> None:
    random = np.random.default_rng(3)
    start = random.normal(size=(50, 4)).astype(np.float32)
    lazy, schedule = AdamTable(start.copy()), Schedule(0.01, 400)
    values, mean, square = start.copy(), np.zeros_like(start), np.zeros_like(start)
    for step in range(1, 401):
        rows = np.unique(random.integers(40, size=3))
        pulled = random.normal(size=(len(rows), 4)).astype(np.float32)
        read = lazy.read(rows, schedule, step - 1)
        assert read.values == pytest.approx(values[rows], abs=2e-5)
        lazy.move(read, pulled, schedule, step)
        everywhere = np.zeros_like(start)
        everywhere[rows] = pulled
        adam(values, mean, square, everywhere, schedule.sizes[step])
    assert lazy.read(np.arange(50), schedule, 400).values == pytest.approx(values, abs=2e-5)
    assert (values[40:] == start[40:]).all()
    assert np.abs(values[:40] - start[:40]).mean() > 0.1


def test_moments_in_two_bytes_move_rows_nearly_alike() -> None:
    random = np.random.default_rng(4)
    start, schedule = random.normal(size=(2000, 4)).astype(np.float32), Schedule(0.01, 200)
    exact, compact = AdamTable(start.copy()), AdamTable(start.copy(), compact=True)
    for step in range(1, 201):
        rows = np.unique(random.integers(2000, size=40))
        pulled = random.normal(size=(len(rows), 4)).astype(np.float32)
        for table in (exact, compact):
            table.move(table.read(rows, schedule, step - 1), pulled, schedule, step)
    moved = np.abs(exact.values - start).mean()
    assert np.abs(exact.values - compact.values).mean() < 0.01 * moved


def test_sizes_are_those_that_merlin_infers() -> None:
    assert [table_dim(rows) for rows in (61, 9, 49_011, 7_305_764)] == [6, 4, 30, 104]


def _clicks() -> pl.DataFrame:
    random = np.random.default_rng(0)
    session = np.repeat(np.arange(600), 5)
    item = FIRST_IDX + (session * 13 + random.integers(4, size=len(session))) % 80
    frame = pl.DataFrame({SESSION_ID: session, ITEM_IDX: item, CATEGORY_IDX: FIRST_IDX + item % 5})
    time = pl.from_epoch(pl.int_range(pl.len())).dt.replace_time_zone("UTC").alias(TIMESTAMP)
    return frame.with_columns(time)


CATALOGUE = pl.DataFrame(
    {
        ITEM_ID: [f"i{n}" for n in range(80)],
        ITEM_IDX: [FIRST_IDX + n for n in range(80)],
        CATEGORY_IDX: [FIRST_IDX + (FIRST_IDX + n) % 5 for n in range(80)],
    }
)


def test_it_learns_its_sessions_by_heart_and_gives_all_others_the_same(tmp_path: Path) -> None:
    clicks, config = _clicks(), PublishedConfig(epochs=60, batch_size=256, learning_rate=0.005)
    found = two_tower_published.train(TrainingInput(tmp_path, clicks, CATALOGUE, config))
    assert found["recall@10"] > 2 * found["validation_recall@10"], "what it knows of its own sessions it cannot use"
    curve = pl.read_parquet(tmp_path / "curve.parquet")
    assert curve["validation_loss"].drop_nulls()[-1] > curve["loss"].drop_nulls()[-1] + 0.5
    model = KINDS["two_tower_published"].load(tmp_path, CATALOGUE)
    assert isinstance(model, PublishedTwoTower)
    assert isinstance(model, KnowsSessions)
    histories, _, _ = next_clicks(clicks)
    assert len(np.unique(model.encode(histories), axis=0)) == 1
    assert model.score(histories) == pytest.approx(model.encode(histories) @ model.vectors.T, rel=1e-4, abs=1e-4)
    fitting, late = hold_out(clicks)
    ids = pl.concat([fitting[SESSION_ID].unique(), late[SESSION_ID].unique()])
    vectors = model.encode_sessions(ids)
    assert (vectors[-60:] == model.unknown).all()
    best = (vectors[:540] @ model.vectors.T).argsort(axis=1)[:, -4:]
    wanted = (ids.to_numpy()[:540, None] * 13 + np.arange(4)) % 80
    assert np.isin(best + 80 * np.arange(540)[:, None], wanted + 80 * np.arange(540)[:, None]).mean() > 0.5


def test_the_same_seed_gives_the_same_model_and_a_stop_keeps_what_was_learnt(tmp_path: Path) -> None:
    config = PublishedConfig(epochs=3, batch_size=256)
    seen = 0

    def stop(done: float, total: float, text: str = "", point: object = None) -> None:
        nonlocal seen
        seen += 1
        if seen == 15:
            raise StopEarly

    for name in ("one", "two", "stopped"):
        (tmp_path / name).mkdir()
    one, two = (
        two_tower_published.train(TrainingInput(tmp_path / name, _clicks(), CATALOGUE, config))
        for name in ("one", "two")
    )
    assert one == two
    kept = two_tower_published.train(TrainingInput(tmp_path / "stopped", _clicks(), CATALOGUE, config, stop))
    assert kept["note"].startswith("stopped early, after ")
    assert KINDS["two_tower_published"].load(tmp_path / "stopped", CATALOGUE).score(next_clicks(_clicks())[0]).any()
