"""Names of indexes tell what they hold, and no two have the same."""

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.core.errors import UserError
from pipeline.indexes import registry
from pipeline.indexes.build import IndexConfig, free_name, identity, index_name
from pipeline.search.catalogue import CATALOGUE
from pipeline.store.stage import run_stage
from pipeline.store.workspace import Workspace
from tests.indexes.built import put_built


def test_names_tell_vectors_model_type_server_and_label() -> None:
    assert IndexConfig().name == "items-session-hnsw"
    assert IndexConfig(index="GPU_CAGRA", server="card", label="wide").name == "items-session-gpu_cagra-wide@card"
    assert IndexConfig(server="http://10.0.0.7:19530").name.startswith("items-session-hnsw@10.0.0.7~")


_HYPHENED = st.from_regex(r"[a-c][a-c-]{0,3}", fullmatch=True)
_CONFIGS = st.builds(
    IndexConfig,
    vectors=st.sampled_from(["items", "sessions"]),
    model=st.from_regex(r"[a-c][a-c_]{0,3}", fullmatch=True),
    index=st.sampled_from(sorted(CATALOGUE)),
    metric=st.just("L2"),
    server=st.just("embedded") | _HYPHENED | _HYPHENED.map("http://{}:19530".format) | _HYPHENED.map("tcp://{}".format),
    label=st.just("") | _HYPHENED,
)


@given(one=_CONFIGS, other=_CONFIGS)
@example(one=IndexConfig(server="mine"), other=IndexConfig(label="mine"))
@example(one=IndexConfig(server="http://a:1"), other=IndexConfig())
@example(one=IndexConfig(server="http://a:1"), other=IndexConfig(server="http://a:2"))
@example(one=IndexConfig(server="a-b", label="c"), other=IndexConfig(server="a", label="b-c"))
@settings(max_examples=150, deadline=None)
def test_what_is_not_the_same_index_has_another_name(one: IndexConfig, other: IndexConfig) -> None:
    assert (one.name == other.name) == (identity(one.model_dump()) == identity(other.model_dump()))
    assert "/" not in one.name


def test_one_of_an_earlier_version_is_found_and_gives_its_name_to_no_other(workspace: Workspace) -> None:
    on_mine = IndexConfig(server="mine")
    assert put_built(workspace, under=on_mine.earlier_name, server="mine") == "items-session-hnsw-mine"
    assert index_name(workspace, on_mine) == "items-session-hnsw-mine"
    assert registry.find_index(workspace, "items-session-hnsw-mine")["server"] == "mine"
    registry.use_index(workspace, "items-session-hnsw-mine", "ef=120")
    labelled = IndexConfig(label="mine")
    assert free_name(workspace, labelled) == labelled.name == "items-session-hnsw-mine"
    assert registry.find_index(workspace, on_mine.name)["server"] == "mine"
    assert registry.index_in_use(workspace, "session")["name"] == index_name(workspace, on_mine) == on_mine.name
    assert free_name(workspace, IndexConfig(server="http://mine:19530")).startswith("items-session-hnsw@mine~")


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({"label": "M 32"}, "The label 'M 32' is not"),
        ({"metric": "DOT"}, "HNSW has no metric 'DOT': choose L2, IP, COSINE"),
        ({"index": "GPU_IVF_PQ", "metric": "COSINE"}, "GPU_IVF_PQ has no metric 'COSINE': choose L2, IP"),
        ({"vectors": "users"}, "There are no vectors of 'users'"),
    ],
)
def test_what_cannot_be_built_is_a_sentence(chosen: dict[str, Any], expected: str) -> None:
    with pytest.raises(UserError) as caught:
        IndexConfig(**chosen)
    assert expected in str(caught.value)


def test_memory_and_disk_are_estimated(workspace: Workspace) -> None:
    put_built(workspace)
    row = registry.list_indexes(workspace)[0]
    assert 5000 * 64 * 4 < row["memory_bytes"] < row["disk_bytes"] < 5_000_000


def test_an_index_of_another_training_is_told(workspace: Workspace) -> None:
    def made(stage: str, label: str, *inputs: str) -> None:
        run_stage(workspace, stage, IndexConfig(label=label), lambda folder, report: {}, inputs=inputs)

    index = {"name": "x", "model": "session"}
    made("models/session", "a")
    made("vectors/session", "", "models/session")
    made("indexes/x", "", "vectors/session")
    assert not registry.of_another_training(workspace, index)
    made("models/session", "b")
    assert registry.of_another_training(workspace, index)
    made("vectors/session", "", "models/session")
    assert registry.of_another_training(workspace, index)
    made("indexes/x", "", "vectors/session")
    assert not registry.of_another_training(workspace, index)
