"""Which index is in use: the newest until another is chosen."""

import pytest

from pipeline.bench import published
from pipeline.core.errors import UserError
from pipeline.indexes import registry
from pipeline.store.snapshot import snapshot
from pipeline.store.workspace import Workspace, write_json
from tests.indexes.built import put_built


def test_the_newest_serves_until_another_is_chosen(workspace: Workspace) -> None:
    with pytest.raises(UserError, match="No index of session's items is built"):
        registry.index_in_use(workspace, "session")
    first, second = put_built(workspace), put_built(workspace, label="b")
    sessions = put_built(workspace, vectors="sessions")
    registry.use_index(workspace, first)
    assert registry.index_in_use(workspace, "session")["name"] == first
    registry.use_index(workspace, second)
    assert registry.index_in_use(workspace, "session")["name"] == second
    registry.use_index(workspace, second, "ef=120")
    assert (registry.used_search(workspace, second), registry.used_search(workspace, first)) == ("ef=120", "")
    with pytest.raises(UserError, match="has no parameter 'nprobe'"):
        registry.use_index(workspace, first, "nprobe=4")
    with pytest.raises(UserError, match="holds sessions"):
        registry.use_index(workspace, sessions)
    registry.set_index_aside(workspace, second)  # one that is gone serves no more
    assert registry.index_in_use(workspace, "session")["name"] == first


def test_an_index_built_later_serves_only_when_it_is_chosen(workspace: Workspace) -> None:
    registry.keep_serving(workspace, "session")  # nothing serves yet
    first, other = put_built(workspace), put_built(workspace, model="two_tower")
    registry.use_index(workspace, other, "ef=120")
    registry.keep_serving(workspace, "session")  # as each build of an items index does
    second = put_built(workspace, index="FLAT")
    assert registry.index_in_use(workspace, "session")["name"] == first
    registry.use_index(workspace, second)
    assert registry.index_in_use(workspace, "session")["name"] == second
    assert registry.index_in_use(workspace, "two_tower")["name"] == other  # each model has a choice of its own
    assert registry.used_search(workspace, other) == "ef=120"


def test_a_choice_for_another_model_made_meanwhile_stays(workspace: Workspace) -> None:
    first, other = put_built(workspace), put_built(workspace, model="two_tower")
    with snapshot():
        registry.index_in_use(workspace, "session")  # the draw has read the choices
        write_json(workspace.root / registry.SERVING, {"models": {"two_tower": {"index": other, "search": "ef=120"}}})
        with pytest.raises(UserError, match="has no parameter"):
            registry.use_index(workspace, first, "nprobe=4")
        registry.use_index(workspace, first, "ef=90")
    assert registry.used_search(workspace, other) == "ef=120"
    assert registry.used_search(workspace, first) == "ef=90"


def test_the_one_choice_of_an_earlier_version_is_kept(workspace: Workspace) -> None:
    first = put_built(workspace)
    put_built(workspace, label="b")
    write_json(workspace.root / registry.SERVING, {"index": first, "search": "ef=90"})
    assert registry.index_in_use(workspace, "session")["name"] == first
    assert registry.used_search(workspace, first) == "ef=90"


def test_published_figures_are_those_of_the_study() -> None:
    assert published.results().height == 270
    best = {(r["scenario"], r["device"]): r["qps"] for r in published.best_qps(0.95).iter_rows(named=True)}
    assert best["user-user", "gpu"] == 39856
    assert best["item-item", "cpu"] == 14426
