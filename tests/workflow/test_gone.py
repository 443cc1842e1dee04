"""The server gone in mid query is a sentence, and it is back for the next one."""

import os
import signal
from pathlib import Path

import pytest

from pipeline.core.errors import UserError
from pipeline.search.embedded import server
from pipeline.serving.recommender import Query, Recommender
from tests.conftest import Road, copy_of

pytestmark = [pytest.mark.milvus, pytest.mark.merlin]


def test_the_server_gone_in_mid_query_is_a_sentence(road: Road, tmp_path: Path) -> None:
    workspace = copy_of(road, tmp_path)
    recommender = Recommender(workspace, "session")
    with server.connect(workspace, "test") as engine:
        query = Query(k=10, index="items-session-hnsw")
        assert recommender.recommend(recommender.check(["A508"], query), engine)["items"]
        # Milvus ends with its supervisor; killed alone it would be back on the same port before the query gives up
        os.kill(int(server.status(workspace)["supervisor_pid"]), signal.SIGKILL)
        with pytest.raises(UserError, match="does not answer"):
            recommender.recommend(recommender.check(["A508"], query), engine)
        with server.connect(workspace, "again") as other:
            assert other.collections()  # it is back, with what it had
