"""Sessions are split by time, and encoded by a saved NVTabular workflow that knows only the training items."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.core.columns import FIRST_IDX, ITEM_IDX, SESSION_ID, TIMESTAMP
from pipeline.sessions import preprocess
from pipeline.store.workspace import Workspace
from tests.conftest import cli_here

pytestmark = pytest.mark.merlin
BEGIN = datetime(2024, 3, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def clicked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write ten sessions, one a day: three clicks each, but one in session 4; item 'new' only in the last."""
    rows = ["session,time,item"]
    for n in range(10):
        for step in range(1 if n == 4 else 3):
            item = "new" if n == 9 and step == 2 else f"i{(n + step) % 4}"
            rows.append(f"{n},{(BEGIN + timedelta(days=n, minutes=step)).isoformat()},{item}")
    root = tmp_path_factory.mktemp("split")
    (root / "clicks.csv").write_text("\n".join(rows) + "\n")
    assert cli_here(root / "ws", "ingest", "--clicks", str(root / "clicks.csv"))[0] == 0
    return root / "ws"


@pytest.fixture
def split(clicked: Path) -> Path:
    """Split them, whatever another test left."""
    assert cli_here(clicked, "preprocess")[0] == 0
    return clicked


def _sessions(root: Path, part: str) -> set[int]:
    return set(preprocess.load_part(Workspace.open(root), part)[SESSION_ID].to_list())  # type: ignore[arg-type]


def test_the_last_fifth_to_end_is_test_and_single_clicks_go(clicked: Path) -> None:
    code, answer = cli_here(clicked, "preprocess")
    assert code == 0, answer
    train, test = _sessions(clicked, "train"), _sessions(clicked, "test")
    assert 4 not in train | test
    assert max(train) < min(test)
    assert len(test) == 2
    assert (answer["metrics"]["train_sessions"], answer["metrics"]["test_sessions"]) == (7, 2)


def test_training_knows_nothing_of_the_test(clicked: Path) -> None:
    opened = Workspace.open(clicked)
    catalogue = preprocess.load_catalogue(opened)
    assert "new" not in catalogue["item_id"].to_list()
    late = preprocess.load_part(opened, "test").filter(pl.col(SESSION_ID) == 9).sort(TIMESTAMP)
    assert late[ITEM_IDX].to_list()[-1] < FIRST_IDX  # unknown
    assert (late[ITEM_IDX].to_list()[0]) >= FIRST_IDX


def test_a_boundary_of_ones_own(clicked: Path) -> None:
    assert cli_here(clicked, "preprocess", "--test-from", "2024-03-06")[0] == 0
    assert _sessions(clicked, "train") == {0, 1, 2, 3}
    assert _sessions(clicked, "test") == {5, 6, 7, 8, 9}


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        (["--test-from", "tomorrow"], "tomorrow"),
        (["--test-from", "2030-01-01"], "2030-01-01"),
        (["--test-from", "2001-01-01"], "2001-01-01"),
        (["--min-item-count", "9999"], "9999"),
    ],
)
def test_a_boundary_that_leaves_nothing_is_a_sentence(clicked: Path, option: list[str], expected: str) -> None:
    before = (Workspace.open(clicked).manifest("data") or {}).get("key")
    code, answer = cli_here(clicked, "preprocess", *option)
    assert code == 2, answer
    assert expected in answer["error"]
    assert (Workspace.open(clicked).manifest("data") or {}).get("key") == before


@given(st.integers(1, 400))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_slices_are_the_part_in_whole_sessions(split: Path, clicks: int) -> None:
    workspace = Workspace.open(split)
    for part in preprocess.PARTS:
        slices = list(preprocess.part_slices(workspace, part, clicks))
        assert pl.concat(slices).equals(preprocess.load_part(workspace, part))
        sessions = [set(some[SESSION_ID]) for some in slices]
        assert sum(map(len, sessions)) == len(set().union(*sessions))
        longest = preprocess.load_part(workspace, part).group_by(SESSION_ID).len()["len"].max()
        assert all(some.height <= max(clicks, 2 * longest) for some in slices)  # type: ignore[operator]
