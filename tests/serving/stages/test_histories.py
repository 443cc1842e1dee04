"""The clicks of a batch are read as each session alone, and what cannot be read is told."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import UserError
from pipeline.serving.stages.histories import MOST_CLICKS, MOST_SESSIONS, Requests
from pipeline.sessions.histories import MAX_HISTORY

ITEMS = 8
CATEGORIES = np.arange(ITEMS) % 3 + 3
HISTORIES = st.lists(
    st.lists(st.integers(-2, ITEMS + 5) | st.integers(-(2**63), 2**63 - 1), max_size=40), min_size=1, max_size=6
)


@pytest.mark.hypothesis
@given(HISTORIES, st.lists(st.integers(-1, ITEMS + 5), min_size=1, max_size=5))
def test_a_batch_is_read_as_each_session_alone(histories: list[list[int]], candidates: list[int]) -> None:
    requests = Requests.of(histories)
    seen = requests.seen(np.tile(candidates, (len(histories), 1)))
    assert seen.tolist() == [[c >= 0 and c in h for c in candidates] for h in histories]
    known = [[item for item in h if 3 <= item < 3 + ITEMS][-MAX_HISTORY:] for h in histories]
    if not all(known):
        with pytest.raises(UserError, match="has no click on an item that was seen in training"):
            requests.known(CATEGORIES)
        return
    read = requests.known(CATEGORIES)
    assert [read.items[low:end].tolist() for low, end in zip(read.low, read.end, strict=True)] == known


@pytest.mark.parametrize(
    ("values", "offsets", "expected"),
    [
        ([3], [0, 2], "do not fit"),
        ([3, 4], [0, 2, 1, 2], "do not fit"),
        ([3], [1, 1], "do not fit"),
        ([], [0], "0 sessions in one request are out of range"),
        ([], [0] * (MOST_SESSIONS + 2), "send 1 to 1,024"),
        ([3] * (MOST_CLICKS + 1), [0, MOST_CLICKS + 1], "are too many"),
    ],
)
def test_a_malformed_batch_is_told(values: list[int], offsets: list[int], expected: str) -> None:
    with pytest.raises(UserError, match=expected):
        Requests(np.array(values, np.int64), np.array(offsets, np.int64))
