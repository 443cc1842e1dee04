"""Histories are what a session had clicked before, and nothing later."""

import numpy as np
import polars as pl

from pipeline.core.columns import CATEGORY_IDX, FIRST_IDX, ITEM_IDX, SESSION_ID
from pipeline.sessions.histories import MAX_HISTORY, Histories, next_clicks, whole_sessions

F = FIRST_IDX


def _clicks(sessions: dict[int, list[int]]) -> pl.DataFrame:
    rows = [(s, i, F) for s, items in sessions.items() for i in items]
    return pl.DataFrame(rows, schema=[SESSION_ID, ITEM_IDX, CATEGORY_IDX], orient="row")


def _lists(histories: Histories) -> list[list[int]]:
    return [histories.items[a:b].tolist() for a, b in zip(histories.low, histories.end, strict=True)]


def test_a_session_is_revealed_click_by_click() -> None:
    histories, targets, _ = next_clicks(_clicks({1: [F, F + 1, F + 2], 2: [F + 3, F]}))
    assert _lists(histories) == [[F], [F, F + 1], [F + 3]]
    assert targets.tolist() == [F + 1, F + 2, F]


def test_items_unknown_to_training_are_targets_but_not_history() -> None:
    unknown = F - 1
    histories, targets, _ = next_clicks(_clicks({1: [F, unknown, F + 1]}))
    assert _lists(histories) == [[F], [F]]
    assert targets.tolist() == [unknown, F + 1]


def test_a_history_is_the_last_clicks_only() -> None:
    items = [F + n for n in range(MAX_HISTORY + 10)]
    ids, histories = whole_sessions(_clicks({9: items}))
    assert ids.to_list() == [9]
    assert _lists(histories) == [items[-MAX_HISTORY:]]


def test_equal_histories_have_equal_codes() -> None:
    histories, _, _ = next_clicks(_clicks({1: [F, F + 1, F], 2: [F, F + 1, F + 2], 3: [F + 1, F, F], 4: [F, F, F]}))
    codes = histories.codes()
    assert codes[0] == codes[2] == codes[6]
    assert codes[1] == codes[3]
    assert len(set(codes.tolist())) == 5


def test_ragged_gives_rows_and_offsets() -> None:
    histories, _, _ = next_clicks(_clicks({1: [F, F + 1, F + 2], 2: [F + 3, F]}))
    rows, offsets = histories.ragged()
    assert histories.items[rows].tolist() == [F, F, F + 1, F + 3]
    assert offsets.tolist() == [0, 1, 3, 4]
    assert np.diff(offsets).tolist() == [1, 2, 1]
