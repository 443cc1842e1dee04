"""What answers together belongs together; without a ranker there are three stages."""

from collections.abc import Iterator

import numpy as np
import pytest

from pipeline.core.errors import UserError
from pipeline.indexes.build import IndexConfig, build_index
from pipeline.search.embedded.server import connect
from pipeline.search.milvus.client import MilvusEngine
from pipeline.serving.ask import Question, ask
from pipeline.serving.ensemble.export import prepare_features
from pipeline.serving.stages.fast import FastPath, batch
from pipeline.serving.stages.histories import Requests
from pipeline.serving.stages.served import find_served
from pipeline.store.workspace import Workspace
from tests.made.served import make_ranker, make_served

pytestmark = pytest.mark.milvus


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Workspace, MilvusEngine]]:
    workspace = Workspace.open(tmp_path_factory.mktemp("three") / "ws")
    with connect(workspace, "tests") as engine:
        make_served(workspace, engine, ranked=False)
        with pytest.raises(UserError, match="run `features apply`"):
            find_served(workspace, "two_tower")
        prepare_features(workspace)
        yield workspace, engine


def test_without_a_ranker_three_stages_order_by_what_was_retrieved(three: tuple[Workspace, MilvusEngine]) -> None:
    workspace, engine = three
    served = find_served(workspace, "two_tower")
    assert (served.stages, served.ranker_name) == (3, None)
    requests = Requests.of([[3, 4, 5], [6]])
    found = FastPath(served).answer(np.array([1, 2]), requests, engine, *batch(0.0, 0, 2))
    np.testing.assert_array_equal(found.scores, found.retrieved)
    for row, history in enumerate(([3, 4, 5], [6])):
        kept = found.kept[row][found.order[row]]
        there = kept[kept >= 0]
        expected = [key for key in found.keys[row] if key not in history]
        assert there.tolist() == expected, "in the order of retrieval, without what was clicked"
    answer = ask(workspace, Question(items=("i0", "i1"), k=5, model="two_tower"))
    assert [item["rank"] for item in answer["items"]] == [1, 2, 3, 4, 5]
    assert answer["stages"] == 3
    assert answer["latency_ms"]["score"] == answer["latency_ms"]["item features"] == 0


def test_a_session_that_is_new_has_the_features_of_its_clicks(three: tuple[Workspace, MilvusEngine]) -> None:
    workspace, _ = three
    session = ask(workspace, Question(items=("i0", "i1", "i4"), model="two_tower"))["session"]
    assert (session["length"], session["last_item"], session["seconds"]) == (3, 7, None)
    assert sum(session[f"share_{n}"] for n in range(1, 11)) == pytest.approx(1)


def test_an_index_that_compares_otherwise_is_refused(three: tuple[Workspace, MilvusEngine]) -> None:
    workspace, engine = three
    build_index(workspace, IndexConfig(model="two_tower", index="FLAT", metric="L2", label="far"), engine)
    with pytest.raises(UserError, match="compares by L2"):
        find_served(workspace, index="items-two_tower-flat-far")
    with pytest.raises(UserError, match="There is no index"):
        find_served(workspace, index="nowhere")


def test_a_ranker_makes_it_four(three: tuple[Workspace, MilvusEngine]) -> None:
    workspace, _ = three
    make_ranker(workspace, seed=5)
    assert find_served(workspace, index="items-two_tower-flat").stages == 4
