"""A model that grows: an item that nobody has clicked has a vector, a day's clicks are taken in."""

from pathlib import Path

import polars as pl
import pytest

from pipeline.core.columns import CATEGORY, FIRST_IDX, ITEM_ID, ITEM_IDX, SESSION_ID, TIMESTAMP
from pipeline.core.errors import UserError
from pipeline.indexes.update_input import check_training
from pipeline.models.contract import TrainingInput
from pipeline.models.session import growth, model
from pipeline.models.session.encoder import SessionEncoder
from pipeline.models.session.examples import TrainingExamples
from pipeline.store.stage import run_stage
from pipeline.store.workspace import Workspace
from pipeline.vectors.new_items import describe_items
from tests.made.rings import CONFIG, ITEMS, Listener, catalogue, clicks

pytestmark = pytest.mark.merlin


def _apart() -> pl.DataFrame:
    """Make sessions that stay with the even items or with the odd ones."""
    walk = clicks()
    parity = pl.col(SESSION_ID) % 2
    return walk.with_columns((FIRST_IDX + (pl.col(ITEM_IDX) - FIRST_IDX) // 2 * 2 + parity).alias(ITEM_IDX))


def test_an_item_never_clicked_is_near_its_kind(workspace: Workspace, tmp_path: Path) -> None:
    def body(folder: Path, progress: Listener) -> dict[str, int]:
        catalogue().write_parquet(folder / "items.parquet")
        kept = tmp_path / "kept.npz"
        return dict(model.train(TrainingInput(folder, _apart(), catalogue(), CONFIG, checkpoint=kept, before=folder)))

    run_stage(workspace, "models/session", CONFIG, body)  # type: ignore[arg-type]
    file, to = tmp_path / "new.csv", tmp_path / "new.parquet"
    file.write_text("item_id,category\nnew1,even\nnew2,odd\nnew3,other\n")
    answer = describe_items(workspace, "session", file, to)
    assert (answer["items"], answer["left_out"], answer["dim"]) == (2, 1, CONFIG.dim)
    table = pl.read_parquet(to)
    assert table["id"].to_list() == ["new1", "new2"]
    encoder = SessionEncoder.load(workspace.stage("models/session") / "encoder.npz")
    examples = TrainingExamples.of(_apart())
    even = (examples.targets % 2 == 0).nonzero()[0]
    scores = encoder.encode(examples.histories.take(even)) @ table["vector"].to_numpy().T
    assert (scores[:, 0] > scores[:, 1]).mean() > 0.95
    index = {"name": "built", "model": "session"}
    for training in ((workspace.manifest("models/session") or {})["key"], None):
        check_training(to, index | {"training": training})
    with pytest.raises(UserError, match="holds vectors of another training of session than index 'built'"):
        check_training(to, index | {"training": "earlier"})
    file.write_text("item_id,colour\nnew1,red\n")
    with pytest.raises(UserError, match="has none of the columns that training used"):
        describe_items(workspace, "session", file, to)
    with pytest.raises(UserError, match="knows items by their clicks alone: choose session"):
        describe_items(workspace, "popularity", file, to)


def test_new_clicks_are_taken_in_without_starting_over(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    for folder in (old, new):
        folder.mkdir()
    all_clicks = clicks(600)
    before = all_clicks.filter((pl.col(SESSION_ID) < 400) & (pl.col(ITEM_IDX) < FIRST_IDX + ITEMS - 5))
    number = pl.col(ITEM_ID).str.strip_prefix("i")
    fewer = catalogue(ITEMS - 5).with_columns(number.cast(pl.Int64))  # whole numbers, where the new log has text
    model.train(TrainingInput(old, before, fewer, CONFIG, checkpoint=tmp_path / "a.npz", before=old))
    fewer.write_parquet(old / "items.parquet")
    turned = catalogue().with_columns(number.reverse(), pl.col(CATEGORY).reverse())  # other rows than before
    anew = all_clicks.with_columns((2 * FIRST_IDX + ITEMS - 1 - pl.col(ITEM_IDX)).alias(ITEM_IDX))
    config = CONFIG.replace(go_on=True)
    found = model.train(TrainingInput(new, anew, turned, config, checkpoint=tmp_path / "b.npz", before=old))
    assert len(found["epochs"]) == CONFIG.finish
    encoder, examples = SessionEncoder.load(new / "encoder.npz"), TrainingExamples.of(anew)
    assert (encoder.score(examples.histories).argmax(axis=1) == examples.targets).mean() > 0.9
    with pytest.raises(UserError, match="No training session ended after"):
        model.train(TrainingInput(new, anew, turned, config, checkpoint=tmp_path / "c.npz", before=new))
    with pytest.raises(UserError, match="train one without --go-on first"):
        model.train(
            TrainingInput(new, anew, turned, config, checkpoint=tmp_path / "d.npz", before=tmp_path / "nowhere")
        )


def test_only_new_sessions_and_as_many_before_are_learnt(tmp_path: Path) -> None:
    short = CONFIG.replace(epochs=1, finish=0)
    model.train(
        TrainingInput(tmp_path, clicks(100), catalogue(), short, checkpoint=tmp_path / "k.npz", before=tmp_path)
    )
    kept = growth.recent(clicks(120), tmp_path)
    assert sorted(set(kept[SESSION_ID])) == list(range(80, 120))
    assert kept[TIMESTAMP].is_sorted()
