"""What work took is remembered in the workspace, and a damaged memory costs what was learnt and nothing else."""

import json

import pytest

from pipeline.jobs.past import Past
from pipeline.store.workspace import Workspace


def test_the_next_of_a_kind_is_expected_to_take_as_long_as_the_last_ones(workspace: Workspace) -> None:
    assert Past(workspace).expected("build IVF_PQ", 9.7) == 9.7
    Past(workspace).took("build IVF_PQ", 9.7, 87.0)
    assert Past(workspace).expected("build IVF_PQ", 9.7) == pytest.approx(87.0)
    assert Past(workspace).expected("build IVF_PQ", 2 * 9.7) == pytest.approx(2 * 87.0)
    other = Past(workspace)
    assert other.expected("build HNSW", 9.7) == 9.7
    Past(workspace).took("build IVF_PQ", 9.7, 87.0 / 4)
    assert Past(workspace).expected("build IVF_PQ", 9.7) == pytest.approx(87.0 / 2)
    other.took("build HNSW", 1.0, 2.0)
    assert Past(workspace).expected("build IVF_PQ", 9.7) == pytest.approx(87.0 / 2)


def test_a_course_tells_something_of_about_as_much_work(workspace: Workspace) -> None:
    course = [0.0, *([0.5] * 9), 1.0]
    Past(workspace).took("train session", 2.0, 60.0, course)
    assert Past(workspace).course("train session", 2.5) == course
    assert Past(workspace).course("train session", 20.0) == []
    assert Past(workspace).course("train two_tower", 2.0) == []


@pytest.mark.parametrize(
    "damaged",
    [
        "",
        "[1, 2]",
        '{"a": 3}',
        '{"a": {"times": "x", "formula_s": 1, "course": []}}',
        '{"a": {"times": NaN, "formula_s": 1, "course": []}}',
        '{"a": {"times": 0, "formula_s": 1, "course": []}}',
        '{"a": {"times": 2, "formula_s": 1, "course": [0.5]}}',
        '{"a": {"times": 2, "formula_s": 1, "course": [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]}}',
        '{"a": {"times": 2, "course": []}}',
    ],
)
def test_a_damaged_file_is_as_none(workspace: Workspace, damaged: str) -> None:
    path = workspace.root / "past.json"
    path.write_text(damaged)
    past = Past(workspace)
    assert (past.expected("a", 3.0), past.course("a")) == (3.0, [])
    past.took("a", 1.0, 5.0)
    assert json.loads(path.read_text())["a"]["times"] == pytest.approx(5.0)
