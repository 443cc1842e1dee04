"""An index that is changed, and its rows."""

import pytest

from pipeline.indexes.build import IndexConfig, build_index
from pipeline.search.milvus.client import MilvusEngine
from pipeline.serving.recommender import Recommender
from pipeline.store.workspace import Workspace
from tests.indexes.changed import ITEMS
from tests.made.road import make_road


@pytest.fixture
def shop(served: Workspace, engine: MilvusEngine) -> Recommender:
    """Give a fresh index of 300 items."""
    make_road(served)
    served.remove(f"indexes/{ITEMS}")
    build_index(served, IndexConfig(), engine)
    return Recommender(served)
