"""What can go wrong with what serves, each as one check: it comes back by itself, with no wrong answer meanwhile."""

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
from pipeline.store.workspace import read_json
from tests.conftest import cli, wait_for
from tests.made.served import make_ranker
from tests.serving.triton.conftest import FourStages

ROWS = slice(0, 2)


def top(answers: Answers) -> list[list[int]]:
    return [row[order].tolist() for row, order in zip(answers.kept, answers.order, strict=True)]


@contextmanager
def clients(four: FourStages, count: int) -> Iterator[tuple[list[list[list[int]]], list[str]]]:
    """Ask all the time, from several threads; collect answers and refusals."""
    answered: list[list[list[int]]] = []
    refused: list[str] = []
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            try:
                answered.append(top(four.triton(ROWS)))
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


def answers_again(four: FourStages, expected: list[list[int]], limit_s: float) -> None:
    def same() -> bool:
        try:
            return top(four.triton(ROWS)) == expected
        except UserError:
            return False

    wait_for(same, limit_s, "the same answer as before")


def kill_triton(four: FourStages, limit_s: float) -> None:
    """Kill the server under load: refusals, then the same answers as before, and none of its processes is left."""
    expected = top(four.triton(ROWS))
    before = server.status(four.workspace)
    with clients(four, 3) as (answered, refused):
        os.kill(before["pid"], signal.SIGKILL)
        wait_for(lambda: len(refused) > 0, 20, "a refusal")
        answers_again(four, expected, limit_s)
    assert all(found == expected for found in answered), "no wrong answer meanwhile"
    assert all("Triton" in sentence for sentence in refused), set(refused)
    after = server.status(four.workspace)
    assert after["restarts"] == before.get("restarts", 0) + 1
    for process in before["processes"]:
        assert not psutil.pid_exists(process["pid"]), process


def kill_milvus(four: FourStages, limit_s: float) -> None:
    """Kill Milvus under load: whoever asks waits for it or is refused, by a sentence without its password."""
    expected, home = top(four.triton(ROWS)), milvus.home(four.workspace)
    password = (home / "password").read_text().strip()
    with clients(four, 3) as (answered, refused):
        os.kill(int((read_json(home / "server.json") or {})["pid"]), signal.SIGKILL)
        time.sleep(1)
        answers_again(four, expected, limit_s)
    assert all(found == expected for found in answered), "no wrong answer meanwhile"
    about_it = ("Milvus", "took longer than the deadline")  # whoever waits behind others that wait for Milvus
    assert all(any(word in sentence for word in about_it) for sentence in refused), set(refused)
    assert password not in " ".join(refused)


def kill_milvus_and_its_supervisor(four: FourStages, limit_s: float) -> None:
    """Kill what would start Milvus again, too: refusals, until Triton's supervisor has started both."""
    expected = top(four.triton(ROWS))
    about = read_json(milvus.home(four.workspace) / "server.json") or {}
    os.kill(int(about["supervisor_pid"]), signal.SIGKILL)
    refused: list[str] = []

    def asked() -> bool:
        try:
            assert top(four.triton(ROWS)) == expected
        except UserError as error:
            refused.append(str(error))
        return bool(refused)

    wait_for(asked, 20, "a refusal")
    assert "Milvus" in refused[0]
    answers_again(four, expected, limit_s)


def lose_features(four: FourStages, limit_s: float) -> None:
    """Take the items out of the feature store under load: errors by every way, then the same answers as before."""
    expected, store, items = top(four.triton(ROWS)), database(four.served.repository), "items"
    name = table_name(four.served.repository, items)
    with clients(four, 3) as (answered, refused):
        with sqlite3.connect(store) as connection:
            connection.execute(f'ALTER TABLE "{name}" RENAME TO away')
        try:
            for way in (four.triton, four.fast):
                with pytest.raises(UserError, match="The feature store .*does not answer"):
                    way(ROWS)
        finally:
            with sqlite3.connect(store) as connection:
                connection.execute(f'ALTER TABLE away RENAME TO "{name}"')
        answers_again(four, expected, limit_s)
    assert all(found == expected for found in answered), "no wrong answer meanwhile"
    assert all("feature store" in sentence for sentence in refused), set(refused)


def swap_the_ranker(four: FourStages, seed: int) -> None:
    """Serve another ranker under sixteen clients: no request is refused, each is answered by the one or the other."""
    old = top(four.triton(ROWS))
    make_ranker(four.workspace, seed=seed)
    export_in_use(four.workspace)
    with clients(four, 16) as (answered, refused):
        wait_for(lambda: len(answered) > 20, 30, "answers of the old one")
        server.up(four.workspace)
        swapped = FourStages(four.workspace, four.engine, find_served(four.workspace), four.keys, four.histories)
        new = top(swapped.fast(ROWS))
        wait_for(lambda: answered[-1] == new, 30, "answers of the new one")
        wait_for(lambda: len(server.status(four.workspace)["processes"]) == 4, 30, "the old one to end")
    assert not refused
    assert old != new
    assert {repr(found) for found in answered} == {repr(old), repr(new)}


def kill_the_supervisor(four: FourStages) -> None:
    """Kill what watches Triton: nothing is left of it, whoever asks is told, and `serve up` begins anew."""
    before = server.status(four.workspace)
    os.kill(before["supervisor_pid"], signal.SIGKILL)
    pids = [process["pid"] for process in before["processes"]]
    wait_for(lambda: not any(runs(pid) for pid in pids), 60, "Triton and its processes to end")
    with pytest.raises(UserError, match="Triton is not running"):
        four.triton(ROWS)
    code, told = cli(four.workspace.root, "serve", "up")
    assert (code, told["state"]) == (0, "ready"), told
    assert np.isfinite(four.triton(ROWS).scores).all()


def runs(pid: int) -> bool:
    """Tell whether a process is alive."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
