"""The online store is filled and read without Feast, and Feast cannot tell the difference."""

import shutil
import sqlite3
from datetime import datetime
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from feast import ValueType
from feast.infra.key_encoding_utils import serialize_entity_key
from feast.protos.feast.types.EntityKey_pb2 import EntityKey as EntityKeyProto
from feast.protos.feast.types.Value_pb2 import Value as ValueProto
from feast.type_map import python_values_to_proto_values
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import Cancelled, UserError
from pipeline.core.progress import silent
from pipeline.serving.features import fill as filling
from pipeline.serving.features import repository
from pipeline.serving.features.fill import fill
from pipeline.serving.features.look_up import item_features, session_features
from pipeline.serving.features.online import OnlineFeatures
from pipeline.serving.features.repository import VIEWS, apply, filled, find_repository, open_store, read_online_store
from pipeline.serving.features.sqlite import database, entity_keys, table_name, value_bytes
from pipeline.serving.features.stage import features
from pipeline.sessions import preprocess
from pipeline.store.workspace import Workspace
from tests.conftest import cli
from tests.serving.features.conftest import ITEMS, write_data

Stored = tuple[Workspace, Path]


def _content(folder: Path, view: str) -> list[tuple[bytes, str, bytes, str]]:
    with sqlite3.connect(database(folder)) as connection:
        name = table_name(folder, view)
        asked = f'SELECT entity_key, feature_name, value, event_ts FROM "{name}" ORDER BY entity_key, feature_name'
        return connection.execute(asked).fetchall()


def test_what_is_filled_is_what_feast_fills_and_what_feast_reads(stored: Stored, tmp_path: Path) -> None:
    workspace, folder = stored
    fill(workspace, folder, "all")
    other = tmp_path / "by-feast"
    shutil.copytree(folder, other)
    database(other).unlink()
    theirs = open_store(other)
    theirs.apply([*theirs.list_entities(), *theirs.list_feature_views()])
    theirs.materialize(datetime(2000, 1, 1), datetime(2100, 1, 1))
    for view in VIEWS.values():
        assert _content(folder, view.name) == _content(other, view.name)
        keys = pl.read_parquet(
            workspace.stage("features") / ("items.parquet" if view.name == "items" else "sessions/*.parquet")
        )
        asked = np.append(keys[view.key].unique().to_numpy()[:30], 10**9)  # and one that is not there
        refs = [f"{view.name}:{name}" for name in view.features]
        by_feast = open_store(folder).get_online_features(refs, [{view.key: int(key)} for key in asked]).to_dict()
        ours = OnlineFeatures(folder).read(view.name, asked)
        for name in view.features:
            np.testing.assert_array_equal(np.array(by_feast[name], np.float32), ours[name])
            assert np.isnan(ours[name][-1])


@given(st.lists(st.floats(width=32), min_size=1, max_size=8), st.integers(-(2**63), 2**63 - 1))
def test_any_value_and_key_has_the_bytes_that_feast_writes(values: list[float], key: int) -> None:
    numbers = np.array(values, np.float32)
    theirs = python_values_to_proto_values([None if np.isnan(n) else n for n in numbers.tolist()], ValueType.FLOAT)
    assert value_bytes(numbers) == [value.SerializeToString() for value in theirs]
    entity = EntityKeyProto(join_keys=["item_idx"], entity_values=[ValueProto(int64_val=key)])
    assert entity_keys("item_idx", np.array([key], np.int64)) == [serialize_entity_key(entity, 2)]


def test_a_past_click_is_looked_up_as_it_was_then(stored: Stored) -> None:
    workspace, folder = stored
    clicked = pl.read_parquet(workspace.stage("features") / "sessions" / "train.parquet").filter(session_key=7)
    asked = clicked.select("session_key", pl.col("event_timestamp").dt.replace_time_zone("UTC")).to_pandas()
    found = open_store(folder).get_historical_features(asked, ["sessions:length", "sessions:last_item"]).to_df()
    ordered = found.sort_values("event_timestamp")
    assert ordered["length"].tolist() == [1, 2, 3]
    assert ordered["last_item"].tolist() == clicked.sort("event_timestamp")["last_item"].to_list()


def test_a_change_in_the_store_is_seen_at_once(stored: Stored) -> None:
    workspace, folder = stored
    fill(workspace, folder)
    online = OnlineFeatures(folder)
    before = online.items(np.array([5], np.int64))
    frame = pl.read_parquet(workspace.stage("features") / "items.parquet").filter(item_idx=5).with_columns(
        pl.lit(123.0, pl.Float32).alias("price")
    )  # fmt: skip
    open_store(folder).write_to_online_store("items", frame.to_pandas())
    assert online.items(np.array([5], np.int64))["price"][0] == 123.0 != before["price"][0]


def test_a_fill_that_is_cut_off_goes_on(stored: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace, folder = stored
    other = tmp_path / "cut"
    shutil.copytree(folder, other)
    for name in ("items", "sessions"):
        with sqlite3.connect(database(other)) as connection:
            connection.execute(f'DELETE FROM "{table_name(other, name)}"')
    (other / repository.FILLED).unlink(missing_ok=True)
    monkeypatch.setattr(filling, "_HELD", 7)

    def stop(done: float, total: float, text: str = "", point: object = None) -> None:
        if text.startswith("test sessions") and "group 3 of 9" in text:
            raise Cancelled

    with pytest.raises(Cancelled):
        fill(workspace, other, "test", stop)
    assert (filled(other)["items"]["done"], filled(other)["test sessions"]["group"]) == (True, 2)
    assert 0 < filled(other)["test sessions"]["rows"] < 20
    told: list[str] = []
    fill(workspace, other, "test", lambda done, total, text="", point=None: told.append(text))
    assert "items: unchanged" in told
    assert not any("group 2 of 9" in text for text in told)
    assert filled(other)["test sessions"]["rows"] == 20
    fill(workspace, folder)
    again = _content(other, "sessions")
    assert len(again) == 20 * len(VIEWS["sessions"].features)
    assert set(again) <= set(_content(folder, "sessions")), "however many rows are held at once"


def test_features_are_the_same_however_many_clicks_are_held_at_once(
    stored: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace.open(tmp_path / "ws")
    write_data(workspace)
    monkeypatch.setattr(preprocess, "part_slices", partial(preprocess.part_slices, clicks=25))
    features(workspace)
    for part in ("train", "test"):
        ours, theirs = (
            pl.read_parquet(of.stage("features") / "sessions" / f"{part}.parquet").sort("session_key", "length")
            for of in (workspace, stored[0])
        )
        assert ours.equals(theirs, null_equal=True)


def test_nothing_online_and_sessions_gone_by_are_told(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path / "ws")
    assert "run `preprocess`" in _refused(workspace, "apply")
    write_data(workspace)
    assert "run `features apply`" in _refused(workspace, "get", "--item", "i1")
    features(workspace)
    assert "run `features apply`" in _refused(workspace, "materialize")
    folder = apply(workspace)
    assert "run `features materialize`" in _refused(workspace, "get", "--item", "i1")
    fill(workspace, folder, "none")
    assert item_features(workspace, "i1")["features"]["price"] == pytest.approx(1.1)
    assert item_features(workspace, "i0")["features"]["price"] is None
    with pytest.raises(UserError, match=f"not among the {ITEMS} items"):
        item_features(workspace, "i99")
    with pytest.raises(UserError, match="Session '3' is not in the online store"):
        session_features(workspace, "3")
    write_data(workspace, seed=4)
    with pytest.raises(UserError, match="of other sessions"):
        find_repository(workspace)


def test_what_cannot_be_written_or_read_is_a_sentence(stored: Stored, tmp_path: Path) -> None:
    workspace, folder = stored
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    (broken / repository.FILLED).unlink(missing_ok=True)
    database(broken).write_bytes(b"not a database at all, " * 100)
    with pytest.raises(UserError, match="could not be written"):
        fill(workspace, broken)
    fill(workspace, folder)
    repository.keep_filled(broken, filled(folder))
    with pytest.raises(UserError, match="does not answer"):
        OnlineFeatures(broken).items(np.array([3], np.int64))
    database(broken).unlink()
    with pytest.raises(UserError, match="holds no items yet"):
        OnlineFeatures(broken).items(np.array([3], np.int64))


def test_a_store_that_was_lost_is_filled_anew_and_never_answers_empty(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path / "ws")
    write_data(workspace)
    features(workspace)
    folder = apply(workspace)
    fill(workspace, folder)
    online, keys = OnlineFeatures(folder), np.array([5], np.int64)
    before = online.items(keys)
    database(folder).unlink()
    apply(workspace)
    with pytest.raises(UserError, match="was replaced and is not filled: run `features materialize`"):
        online.items(keys)
    assert filled(folder) == {}
    fill(workspace, folder)
    for name, values in online.items(keys).items():
        np.testing.assert_array_equal(values, before[name])
    with pytest.raises(UserError, match="Feast cannot open the online store"):
        apply(workspace, {"type": "nosuch"})
    assert apply(workspace) == folder
    assert filled(folder)["items"]["done"], "what stood before goes on"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[1, 2]", "names no online store"),
        ("a: [", "is not YAML"),
        ("online_store: {path: x}", "names no online store"),
    ],
)
def test_an_online_store_that_cannot_be_read_is_told(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "store.yaml").write_text(text)
    with pytest.raises(UserError, match=expected):
        read_online_store(tmp_path / "store.yaml")


def _refused(workspace: Workspace, *words: str) -> str:
    code, answer = cli(workspace.root, "features", *words)
    assert code == 2, answer
    return str(answer["error"])


def test_progress_is_silent_where_nobody_listens(stored: Stored) -> None:
    assert fill(*stored, "none", silent)["items"]["done"]
