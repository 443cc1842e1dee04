"""Three ways of answering answer alike, and what they answer from is real."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import psutil
import pytest

from pipeline.bench.serving.load import newest
from pipeline.core.errors import UserError
from pipeline.search.embedded import server as milvus
from pipeline.serving.ensemble.columns import request
from pipeline.serving.ensemble.local import LocalEnsemble
from pipeline.serving.features.repository import open_store
from pipeline.serving.stages.answer import Answers
from pipeline.serving.triton import server, snippets
from pipeline.serving.triton.client import TritonClient
from tests.conftest import cli
from tests.made.served import make_towers
from tests.serving.triton import faults
from tests.serving.triton.conftest import FourStages

pytestmark = [pytest.mark.milvus, pytest.mark.merlin]
SLOW_S = 120  # beside another process of tests a start takes four times what it takes alone


def _alike(one: Answers, other: Answers) -> None:
    np.testing.assert_array_equal(np.sort(one.keys), np.sort(other.keys))
    np.testing.assert_array_equal(np.sort(one.kept), np.sort(other.kept))
    for row in range(len(one.keys)):
        first, second = (dict(zip(a.kept[row].tolist(), a.scores[row].tolist(), strict=True)) for a in (one, other))
        for key in set(first) - {-1}:
            assert second[key] == pytest.approx(first[key], abs=1e-4 * max(1, abs(first[key])))
        orders = [a.kept[row][a.order[row]].tolist() for a in (one, other)]
        for a, b in zip(*orders, strict=True):  # outside the tolerance the order is the same
            assert a == b or first[a] == pytest.approx(first[b], abs=2e-4 * max(1, abs(first[a]))), row
    for name, values in one.sessions.items():
        np.testing.assert_allclose(values, other.sessions[name], rtol=1e-6)


def test_in_process_by_merlin_and_by_triton_the_answers_are_alike(four: FourStages) -> None:
    assert len(four.keys) >= 200
    local = LocalEnsemble(four.workspace, four.served)
    for low in range(0, len(four.keys), 70):
        rows = slice(low, low + 70)
        fast = four.fast(rows)
        _alike(fast, four.triton(rows))
        _alike(fast, local.answer(four.keys[rows], four.requests(rows), *four.how(rows, 0.7)))
    alone = [four.triton(slice(n, n + 1)) for n in range(3)]
    together = four.triton(slice(0, 3))
    for row, one in enumerate(alone):
        assert one.kept[0][one.order[0]].tolist() == together.kept[row][together.order[row]].tolist()


def test_what_changes_in_the_feature_store_changes_the_score(four: FourStages) -> None:
    rows = slice(0, 1)
    before, folder = four.triton(rows, 0.0), four.served.repository
    key = int(before.kept[0][before.order[0]][0])
    frame = pl.read_parquet(four.workspace.stage("features") / "items.parquet").filter(item_idx=key)
    dearer = frame.with_columns(pl.lit(5000.0, pl.Float32).alias("price"))
    open_store(folder).write_to_online_store("items", dearer.to_pandas())
    after, column = four.triton(rows, 0.0), before.order[0][0]
    assert abs(float(after.scores[0][column] - before.scores[0][column])) > 1e-3
    _alike(four.fast(rows, 0.0), after)
    open_store(folder).write_to_online_store("items", frame.to_pandas())
    np.testing.assert_allclose(four.triton(rows, 0.0).scores, before.scores, rtol=1e-5)


def test_an_item_taken_out_of_milvus_is_not_answered(four: FourStages) -> None:
    rows, name = slice(1, 2), four.served.index["collection"]
    before = four.triton(rows, 0.0)
    key = int(before.kept[0][before.order[0]][0])
    vectors = four.served.known.encoder.vectors[[key - 3]]
    four.engine.delete(name, np.array([key]))
    assert key not in four.triton(rows, 0.0).keys
    names = four.engine.rows(name, "id >= 0", ["id", "item_id", "category", "popularity", "price"], most=1)[0]
    scalars = {column: [names[column]] for column in ("item_id", "category")}
    numbers = {column: np.array([names[column]]) for column in ("popularity", "price")}
    four.engine.upsert(name, np.array([key]), vectors, {**scalars, **numbers})
    assert key in four.triton(rows, 0.0).keys


@pytest.mark.parametrize(
    ("history", "expected"),
    [([], "has no click on an item that was seen in training"), ([1, 99_999], "has no click on an item")],
)
def test_a_history_without_a_known_click_is_told(four: FourStages, history: list[int], expected: str) -> None:
    asked = FourStages(four.workspace, four.engine, four.served, four.keys[:1], [history])
    for way in (asked.triton, asked.fast):
        with pytest.raises(UserError, match=expected):
            way()


def test_ten_thousand_clicks_and_a_batch_over_the_limit(four: FourStages) -> None:
    long = FourStages(four.workspace, four.engine, four.served, four.keys[:1], [four.histories[0] * 1667])
    _alike(long.fast(), long.triton())
    many = FourStages(four.workspace, four.engine, four.served, np.arange(1025), [four.histories[0]] * 1025)
    with pytest.raises(UserError, match="1,025 sessions in one request are out of range: send 1 to 1,024"):
        many.triton()
    with pytest.raises(UserError, match="temperature -1 is out of range"):
        four.triton(slice(0, 1), -1.0)


def test_no_token_is_written_logged_or_told(four: FourStages) -> None:
    token = (milvus.home(four.workspace) / "password").read_text().strip()
    exported = four.workspace.stage("ensemble").resolve()
    places = [exported, four.workspace.root / "triton", four.workspace.root / "features"]
    for path in (path for place in places for path in place.rglob("*") if path.is_file()):
        assert token.encode() not in path.read_bytes(), path
    for process in server.status(four.workspace)["processes"]:
        assert token not in " ".join(psutil.Process(process["pid"]).cmdline())


def test_only_networks_hold_tensorflow_and_nothing_listens_elsewhere(four: FourStages) -> None:
    found = server.status(four.workspace)
    assert found["ready_s"] <= 120  # some 10 s alone; other tests run beside
    holding = [process["name"] for process in found["processes"] if process["tensorflow"]]
    assert sorted(holding) == ["0_predicttensorflowtriton", "1_predicttensorflowtriton"]
    for process in found["processes"]:
        for connection in psutil.Process(process["pid"]).net_connections("inet"):
            assert connection.status != "LISTEN" or connection.laddr.ip.endswith("127.0.0.1"), (process, connection)


def test_the_command_line_asks_and_tells(four: FourStages) -> None:
    asked = ("serve", "ask", "--items", "i3,i8", "--k", "4", "--temperature", "0.5", "--seed", "3")
    (code, fast), (other, triton) = (cli(four.workspace.root, *asked, "--via", via) for via in ("fast", "triton"))
    assert (code, other) == (0, 0), (fast, triton)
    assert [i["item_id"] for i in fast["items"]] == [i["item_id"] for i in triton["items"]]
    assert len(fast["items"]) == 4
    assert not {"i3", "i8"} & {i["item_id"] for i in fast["items"]}
    assert fast["stages"] == 4
    assert set(fast["latency_ms"]) == set(triton["latency_ms"])
    for words, expected in (
        (("--items", "i3,zz"), "Item 'zz' is not among the 400 items"),
        (("--items", "i3", "--k", "101"), "k 101 is out of range: choose 1 to 100"),
        (("--items", "i3", "--via", "bus"), "bus"),
        (("--session", "77777"), "'clicks' is not there yet"),
    ):
        code, told = cli(four.workspace.root, "serve", "ask", *words)
        assert code == 2, told
        assert expected in told["error"]


def test_a_malformed_request_is_refused_by_its_own_sentence(four: FourStages) -> None:
    code = f"""
import sys; sys.path.insert(0, {str(Path.cwd())!r})
import numpy as np, tritonclient.grpc as grpc
from pipeline.serving.triton.client import told
client = grpc.InferenceServerClient({server.address(four.workspace)!r})
one = grpc.InferInput("session_key", [1], "INT64"); one.set_data_from_numpy(np.array([1]))
try: client.infer("executor_model", [one])
except Exception as error: print(told(str(error.message()), "here"))
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert re.match("Triton at here refused the request: .*input", ended.stdout), ended.stdout


def test_keys_of_another_training_are_not_named(four: FourStages) -> None:
    client = TritonClient(server.address(four.workspace), ranked=True, fingerprint=four.served.fingerprint + 1)
    try:
        with pytest.raises(
            UserError, match="serves another index, model or ranker than those in use: run `serve export`"
        ):
            client.answer(four.keys[slice(0, 2)], four.requests(slice(0, 2)), *four.how(slice(0, 2), 0.0))
    finally:
        client.close()


def test_what_is_pasted_from_the_page_answers_as_the_app_does(four: FourStages) -> None:
    rows, about = slice(2, 3), server.status(four.workspace)
    columns = request(four.keys[rows], four.requests(rows), *four.how(rows, 0.0))
    ours = four.fast(rows, 0.0)
    expected = [int(ours.kept[0][at]) for at in ours.order[0] if ours.kept[0][at] >= 0]
    python = [sys.executable, "-c", snippets.as_python(columns, True, about["grpc"], 5)]
    printed = subprocess.run(python, capture_output=True, text=True, check=True, timeout=60).stdout
    assert [key for key, _ in ast.literal_eval(printed)] == expected[:5]
    curl = ["bash", "-c", snippets.as_curl(columns, True, about["http"])]
    reply = json.loads(subprocess.run(curl, capture_output=True, text=True, check=True, timeout=60).stdout)
    found = snippets.read_answer(reply)
    kept, order = found["kept_ids"][0], found["order"][0]
    assert [kept[at] for at in order if kept[at] >= 0] == expected


def test_load_is_measured_by_both_ways_and_kept(four: FourStages) -> None:
    code, told = cli(four.workspace.root, "serve", "load", "--clients", "1,2", "--batch", "8", "--seconds", "0.4")
    assert code == 0, told
    asked = [(row["via"], row["clients"], row["batch"]) for row in told["rows"]]
    assert asked == [(via, *point) for via in ("fast", "triton") for point in ((1, 1), (2, 1), (1, 8))]
    for row in told["rows"]:
        assert row["requests"] > 0
        assert 0 < row["p50_ms"] <= row["p95_ms"] <= row["p99_ms"]
        assert row["stages"]["total"] > 0
    assert {row["part"] for row in told["added"]} >= {"Feast", "TensorFlow", "QueryMilvus"}
    assert newest(four.workspace) == {
        name: value for name, value in told.items() if name in (newest(four.workspace) or {})
    }
    for words, expected in (
        (("--via", "bus"), "There is no via 'bus'"),
        (("--clients", "0"), "clients .0. is out of range"),
        (("--clients", "few"), "is no list of whole numbers"),
        (("--batch", "5000"), "batch 5000 is out of range"),
        (("--seconds", "0"), "seconds 0 is out of range"),
    ):
        code, told = cli(four.workspace.root, "serve", "load", *words)
        assert code == 2, told
        assert re.search(expected, told["error"]), told


def test_triton_milvus_and_the_feature_store_come_back_under_load(four: FourStages) -> None:
    faults.lose_features(four, SLOW_S)
    faults.kill_milvus(four, SLOW_S)
    faults.kill_triton(four, SLOW_S)


def test_a_model_is_swapped_under_sixteen_clients(four: FourStages) -> None:
    faults.swap_the_ranker(four, seed=2)


def test_a_ranker_of_another_training_is_refused(four: FourStages) -> None:
    make_towers(four.workspace, seed=43)
    for words in (("ask", "--items", "i3"), ("export",)):
        code, told = cli(four.workspace.root, "serve", *words)
        assert code == 2, told
        assert "was built from another training of two_tower" in told["error"], told
