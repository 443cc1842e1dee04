"""What is killed comes back, nobody gets a wrong answer meanwhile, and a model is swapped under clients."""

import os
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import psutil
import pytest

from pipeline.core.errors import UserError
from pipeline.search.embedded import server as milvus
from pipeline.serving.ensemble.export import export_in_use
from pipeline.serving.features.sqlite import database, table_name
from pipeline.serving.stages.answer import Answers
from pipeline.serving.stages.served import find_served
from pipeline.serving.triton import server
from pipeline.serving.triton.client import TritonClient
from pipeline.store.workspace import read_json
from tests.conftest import cli, wait_for
from tests.made.served import make_ranker, make_towers
from tests.serving.triton.conftest import FourStages

pytestmark = [pytest.mark.milvus, pytest.mark.merlin, pytest.mark.long]  # a start takes 11 s alone, 48 s beside others
ROWS = slice(0, 2)


def _top(answers: Answers) -> list[list[int]]:
    return [row[order].tolist() for row, order in zip(answers.kept, answers.order, strict=True)]


@contextmanager
def _clients(four: FourStages, count: int) -> Iterator[tuple[list[list[list[int]]], list[str]]]:
    """Ask all the time, from several threads; collect answers and refusals."""
    answered: list[list[list[int]]] = []
    refused: list[str] = []
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            try:
                answered.append(_top(four.triton(ROWS)))
            except UserError as error:
                refused.append(str(error))
                time.sleep(0.2)

    threads = [threading.Thread(target=ask) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield answered, refused
    finally:
        over.set()
        for thread in threads:
            thread.join(30)
    assert not any(thread.is_alive() for thread in threads)


def _answers_again(four: FourStages, expected: list[list[int]], limit_s: float) -> None:
    def same() -> bool:
        try:
            return _top(four.triton(ROWS)) == expected
        except UserError:
            return False

    wait_for(same, limit_s, "the same answer as before")


def test_a_killed_triton_comes_back_under_load(four: FourStages) -> None:
    expected = _top(four.triton(ROWS))
    before = server.status(four.workspace)
    with _clients(four, 3) as (answered, refused):
        os.kill(before["pid"], signal.SIGKILL)
        wait_for(lambda: len(refused) > 0, 20, "a refusal")
        _answers_again(four, expected, 120)
    assert all(top == expected for top in answered), "no wrong answer meanwhile"
    assert all("Triton" in sentence for sentence in refused), set(refused)
    after = server.status(four.workspace)
    assert after["restarts"] == before.get("restarts", 0) + 1
    for process in before["processes"]:
        assert not psutil.pid_exists(process["pid"]), process


def test_a_killed_milvus_is_an_error_and_then_an_answer(four: FourStages) -> None:
    expected = _top(four.triton(ROWS))
    about = read_json(milvus.home(four.workspace) / "server.json") or {}
    os.kill(int(about["pid"]), signal.SIGKILL)  # its supervisor starts it again, and whoever asks waits for that
    _answers_again(four, expected, 120)
    os.kill(int(about["supervisor_pid"]), signal.SIGKILL)
    refused: list[str] = []

    def asked() -> bool:
        try:
            assert _top(four.triton(ROWS)) == expected
        except UserError as error:
            refused.append(str(error))
        return bool(refused)

    wait_for(asked, 20, "a refusal")
    assert "Milvus" in refused[0]
    _answers_again(four, expected, 120)


def test_a_feature_store_that_is_gone_is_an_error_and_then_an_answer(four: FourStages) -> None:
    expected, store = _top(four.triton(ROWS)), database(four.served.repository)
    with sqlite3.connect(store) as connection:
        connection.execute(f'ALTER TABLE "{table_name(four.served.repository, "items")}" RENAME TO away')
    try:
        for way in (four.triton, four.fast):
            with pytest.raises(UserError, match="The feature store .*does not answer"):
                way(ROWS)
    finally:
        with sqlite3.connect(store) as connection:
            connection.execute(f'ALTER TABLE away RENAME TO "{table_name(four.served.repository, "items")}"')
    _answers_again(four, expected, 120)


def test_a_model_is_swapped_under_sixteen_clients(four: FourStages) -> None:
    old = _top(four.triton(ROWS))
    make_ranker(four.workspace, seed=2)
    export_in_use(four.workspace)
    with _clients(four, 16) as (answered, refused):
        wait_for(lambda: len(answered) > 20, 30, "answers of the old one")
        server.up(four.workspace)
        swapped = FourStages(four.workspace, four.engine, find_served(four.workspace), four.keys, four.histories)
        new = _top(swapped.fast(ROWS))
        wait_for(lambda: answered[-1] == new, 30, "answers of the new one")
        wait_for(lambda: len(server.status(four.workspace)["processes"]) == 4, 30, "the old one to end")
    assert not refused
    assert old != new
    assert {repr(top) for top in answered} == {repr(old), repr(new)}


def test_keys_of_another_training_are_not_named(four: FourStages) -> None:
    client = TritonClient(server.address(four.workspace), ranked=True, fingerprint=four.served.fingerprint + 1)
    try:
        with pytest.raises(
            UserError, match="serves another index, model or ranker than those in use: run `serve export`"
        ):
            client.answer(four.keys[ROWS], four.requests(ROWS), *four.how(ROWS, 0.0))
    finally:
        client.close()


def test_a_killed_supervisor_leaves_nothing_and_up_begins_anew(four: FourStages) -> None:
    before = server.status(four.workspace)
    os.kill(before["supervisor_pid"], signal.SIGKILL)
    pids = [process["pid"] for process in before["processes"]]
    wait_for(lambda: not any(_runs(pid) for pid in pids), 60, "Triton and its processes to end")
    with pytest.raises(UserError, match="Triton is not running"):
        four.triton(ROWS)
    code, told = cli(four.workspace.root, "serve", "up")
    assert (code, told["state"]) == (0, "ready"), told
    assert np.isfinite(four.triton(ROWS).scores).all()


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_down_ends_it_and_says_so(four: FourStages) -> None:
    pids = [process["pid"] for process in server.status(four.workspace)["processes"]]
    assert cli(four.workspace.root, "serve", "down")[1]["note"] == "Triton is stopped."
    wait_for(lambda: not any(_runs(pid) for pid in pids), 10, "its processes to end")
    assert cli(four.workspace.root, "serve", "status")[1]["state"] == "stopped"
    assert (
        "start it with `serve up`"
        in cli(four.workspace.root, "serve", "ask", "--items", "i3", "--via", "triton")[1]["error"]
    )


def test_a_ranker_of_another_training_is_refused(four: FourStages) -> None:
    make_towers(four.workspace, seed=43)
    for words in (("ask", "--items", "i3"), ("export",)):
        code, told = cli(four.workspace.root, "serve", *words)
        assert code == 2, told
        assert "was built from another training of two_tower" in told["error"], told
