"""Dropping, splitting and numbering clicks in plain Python, to hold the real ones against."""

import math
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from pipeline.sessions.config import PreprocessConfig

Click = tuple[int, datetime, str]  # session, time, item
Parts = dict[str, list[tuple[int, int, int]]]  # session, item_idx, category_idx


def sessions_left(clicks: Sequence[Click], config: PreprocessConfig) -> dict[int, list[tuple[datetime, str]]]:
    """Drop what is asked for; clicks are ordered by session and time."""
    found: dict[int, list[tuple[datetime, str]]] = {}
    for session, time, item in clicks:
        found.setdefault(session, []).append((time, item))
    if config.last_days:
        last = max(of[-1][0] for of in found.values())
        found = {s: of for s, of in found.items() if of[-1][0] >= last - timedelta(days=config.last_days)}
    if config.max_session_length:
        found = {s: of for s, of in found.items() if len(of) <= config.max_session_length}
    if config.collapse_repeats:
        found = {s: [c for n, c in enumerate(of) if n == 0 or of[n - 1][1] != c[1]] for s, of in found.items()}
    counts = Counter(item for of in found.values() for _, item in of)
    found = {s: [c for c in of if counts[c[1]] >= config.min_item_count] for s, of in found.items()}
    return {s: of for s, of in found.items() if len(of) >= config.min_session_length}


def boundary_of(left: dict[int, list[tuple[datetime, str]]], config: PreprocessConfig) -> datetime:
    """Give the time from which sessions are for testing; raise ValueError where that leaves a part empty."""
    ends = sorted(of[-1][0] for of in left.values())
    if config.test_days:
        boundary = ends[-1] - timedelta(days=config.test_days)
    elif config.test_from:
        boundary = datetime.fromisoformat(config.test_from).replace(tzinfo=UTC)
    else:
        boundary = ends[min(int((1 - config.test_share) * len(ends)), len(ends) - 1)]
        if boundary == ends[0]:
            boundary = next((end for end in ends if end > ends[0]), ends[0])
    if not ends[0] < boundary <= ends[-1]:
        raise ValueError(boundary)
    return boundary


def parts_of(clicks: Sequence[Click], category: dict[str, str | None], config: PreprocessConfig) -> Parts:
    """Drop, split and number; raise ValueError where nothing is left of a part."""
    left = sessions_left(clicks, config)
    if len(left) < 2:
        raise ValueError(len(left))
    boundary = boundary_of(left, config)
    test = {s: of for s, of in left.items() if of[-1][0] >= boundary}
    train = {s: of for s, of in left.items() if s not in test}
    first = sorted(of[-1][0] for of in train.values())[-math.ceil(config.train_share * len(train))]
    train = {s: of for s, of in train.items() if of[-1][0] >= first}
    trained = [item for of in train.values() for _, item in of]
    item_idx = numbered(trained)
    category_idx = numbered([category[item] for item in trained if category[item] is not None])
    return {
        part: [
            (session, item_idx.get(item, 2), 1 if category[item] is None else category_idx.get(category[item], 2))
            for session, found in of.items()
            for _, item in found
        ]
        for part, of in (("train", train), ("test", test))
    }


def numbered(values: Sequence[str | None]) -> dict[str | None, int]:
    """Number values from 3, the commonest first, then by name."""
    ordered = sorted(set(values), key=lambda value: (-values.count(value), str(value)))
    return {value: number for number, value in enumerate(ordered, 3)}
