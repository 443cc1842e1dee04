"""A whole log is answered as each of its sessions is answered alone; a run that is cut off goes on."""

from pathlib import Path

import polars as pl
import pytest

from pipeline.clicks.source import ClickSource, read_log
from pipeline.core.errors import Cancelled, UserError
from pipeline.serving.ask import Question, ask
from pipeline.serving.many import recommend
from pipeline.serving.many.plan import ManyConfig, find_plan
from pipeline.serving.many.recommend import recommend_many
from pipeline.serving.recommender import Recommender
from pipeline.serving.request import Query
from tests.conftest import cli
from tests.serving.many.conftest import Answering

pytestmark = [pytest.mark.milvus]


def _write(of: Answering, target: Path, config: ManyConfig, **how: object) -> dict[str, object]:
    plan = find_plan(of.workspace, config)
    return recommend_many(ClickSource(str(of.log)), target, plan, of.engine, **how)  # type: ignore[arg-type]


def _histories(of: Answering) -> dict[int, list[str]]:
    clicks, _ = read_log(ClickSource(str(of.log)))
    listed = clicks.group_by("session_id", maintain_order=True).agg("item_id")
    return dict(zip(listed["session_id"], listed["item_id"].to_list(), strict=True))


@pytest.mark.parametrize("exclude_seen", [False, True])
def test_every_session_gets_what_it_gets_alone(answering: Answering, tmp_path: Path, exclude_seen: bool) -> None:
    told = _write(answering, tmp_path / "out.parquet", ManyConfig(5, "two_tower", exclude_seen=exclude_seen))
    histories = _histories(answering)
    assert (told["sessions"], told["answered"], told["unknown"]) == (len(histories), len(histories) - 1, 1)
    found = pl.read_parquet(tmp_path / "out.parquet")
    assert found["session_id"].unique(maintain_order=True).to_list() == [s for s in histories if s != 10**9]
    recommender = Recommender(answering.workspace, "two_tower")
    for session, rows in found.group_by("session_id", maintain_order=True):
        request = recommender.check(histories[session[0]], Query(5, exclude_seen=exclude_seen))  # type: ignore[index]
        alone = recommender.recommend(request, answering.engine)["items"]
        assert rows["item_id"].to_list() == [item["item_id"] for item in alone]
        assert rows["score"].to_list() == pytest.approx([item["score"] for item in alone], rel=1e-5)
        assert rows["rank"].to_list() == [1, 2, 3, 4, 5]


def test_a_ranked_session_gets_what_four_stages_give_it_alone(answering: Answering, tmp_path: Path) -> None:
    told = _write(answering, tmp_path / "out.csv", ManyConfig(7, rank=True))
    assert told["ranker"] == "dlrm"
    histories = _histories(answering)
    found = pl.read_csv(tmp_path / "out.csv")
    for session in [*histories][:5]:
        alone = ask(answering.workspace, Question(items=[",".join(histories[session])], k=7))["items"]
        rows = found.filter(session_id=session)
        assert rows["item_id"].to_list() == [item["item_id"] for item in alone]
        assert rows["score"].to_list() == pytest.approx([item["score"] for item in alone], abs=1e-4)
        assert not set(rows["item_id"]) & set(histories[session])


def test_a_run_that_is_cut_off_goes_on_and_another_plan_begins_anew(
    answering: Answering, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, whole, cut = ManyConfig(5, "two_tower"), tmp_path / "whole.parquet", tmp_path / "cut.parquet"
    _write(answering, whole, config)
    monkeypatch.setattr(recommend, "_PART", 20)

    def stop(done: float, total: float, text: str = "", point: object = None) -> None:
        if text.startswith("60 of"):
            raise Cancelled

    with pytest.raises(Cancelled):
        _write(answering, cut, config, progress=stop)
    assert not cut.exists()
    parts = cut.with_name("cut.parquet.parts")
    assert len(list(parts.glob("*.parquet"))) == 2
    assert _write(answering, cut, config)["kept"] == 40
    ours, expected = pl.read_parquet(cut), pl.read_parquet(whole)
    assert ours.drop("score").equals(expected.drop("score"))
    assert ours["score"].to_list() == pytest.approx(expected["score"].to_list(), rel=1e-5)
    assert not parts.exists()

    with pytest.raises(Cancelled):
        _write(answering, cut, config, progress=stop, force=True)
    assert _write(answering, cut, ManyConfig(3, "two_tower"), force=True)["kept"] == 0
    assert pl.read_parquet(cut)["rank"].max() == 3


def test_a_session_that_has_seen_nearly_all_still_gets_what_is_left(answering: Answering, tmp_path: Path) -> None:
    items = [f"i{n}" for n in range(390)]
    log = tmp_path / "long.csv"
    rows = [f"7,{1_700_000_000 + n},{item}" for n, item in enumerate(items * 3)] + ["8,1700000000,i5"]
    log.write_text("session_id,timestamp,item_id\n" + "\n".join(rows))
    plan = find_plan(answering.workspace, ManyConfig(20, "two_tower", exclude_seen=True))
    recommend_many(ClickSource(str(log)), tmp_path / "out.parquet", plan, answering.engine)
    found = pl.read_parquet(tmp_path / "out.parquet")
    assert sorted(found.filter(session_id=7)["item_id"]) == sorted(f"i{n}" for n in range(390, 400))
    assert found.filter(session_id=8).height == 20


def test_an_index_that_was_changed_names_its_own_rows(answering: Answering, tmp_path: Path) -> None:
    name = "items-two_tower-flat"
    new = pl.DataFrame({"id": ["brand-new"], "vector": [[9.0] * 16]})
    new = new.with_columns(pl.lit("k").alias("category"), pl.lit(1).alias("popularity"), pl.lit(2.0).alias("price"))
    new.write_parquet(tmp_path / "new.parquet")
    code, told = cli(answering.workspace.root, "index", "upsert", name, "--file", str(tmp_path / "new.parquet"))
    assert code == 0, told
    try:
        _write(answering, tmp_path / "out.parquet", ManyConfig(400, "two_tower"))
        assert "brand-new" in set(pl.read_parquet(tmp_path / "out.parquet")["item_id"])
    finally:
        cli(answering.workspace.root, "index", "delete", name, "--ids", "brand-new")


@pytest.mark.parametrize(
    ("config", "target", "expected"),
    [
        (ManyConfig(0, "two_tower"), "o.csv", "k 0 is out of range: choose 1 to 400"),
        (ManyConfig(101, rank=True), "o.csv", "k 101 is out of range: choose 1 to 100"),
        (ManyConfig(index="nothing"), "o.csv", "nothing"),
        (ManyConfig(model="two_tower"), "o.txt", "says no form"),
        (ManyConfig(model="two_tower"), "no-such/o.csv", "there is no folder"),
    ],
)
def test_what_cannot_be_is_a_sentence(
    answering: Answering, tmp_path: Path, config: ManyConfig, target: str, expected: str
) -> None:
    with pytest.raises(UserError, match=expected):
        _write(answering, tmp_path / target, config)
    assert not list(tmp_path.glob("*.parts"))


def test_the_command_line_writes_the_file_and_says_what_it_did(answering: Answering, tmp_path: Path) -> None:
    asked = ("recommend", "--file", str(answering.log), "--out", str(tmp_path / "out.csv"), "--model", "two_tower")
    code, told = cli(answering.workspace.root, *asked)
    assert code == 0, told
    assert told["rows"] == pl.read_csv(tmp_path / "out.csv").height == 10 * told["answered"]
    assert "add --force" in cli(answering.workspace.root, *asked)[1]["error"]
