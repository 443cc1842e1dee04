"""Made-up clicks with YOOCHOOSE's shape: short sessions, a long tail, and latent groups that can be learnt."""

from datetime import UTC, datetime

import numpy as np
import polars as pl

from pipeline.clicks.canonical import ROW
from pipeline.core.arrays import Doubles, Ints
from pipeline.core.columns import CATEGORY, ITEM_ID, SESSION_ID, SPECIAL_OFFER, TIMESTAMP, UNKNOWN_CATEGORY
from pipeline.core.errors import UserError

PREFIX = "synthetic:"
MOST = 20_000_000
_SEED = 2015
_LONGEST = 50  # clicks in a session
_MEAN = 3.6  # clicks in a session, as in YOOCHOOSE
_ITEMS_PER_SESSION, _MOST_ITEMS = 0.45, 52_739  # the catalogue grows with the sessions up to YOOCHOOSE's
_GROUP_SIZE = 40
_STAY = 0.9  # chance that the next click stays in the session's group
_NEAR = 0.7  # chance that it then falls on a neighbour of the item before
_OFFER, _NO_CATEGORY = 0.1, 0.25  # shares of clicks through a special offer, and of items without a category
_BEGIN, _DAYS = datetime(2014, 4, 1, tzinfo=UTC), 182
_KINDS = (
    "Lamp",
    "Jacket",
    "Drill",
    "Camera",
    "Kettle",
    "Backpack",
    "Headphones",
    "Chair",
    "Watch",
    "Tent",
    "Bike",
    "Vase",
)
_MAKERS = ("Aldo", "Borea", "Cairn", "Dellis", "Ekto", "Fennel", "Gurio", "Halden", "Isca", "Jorin")


def read(name: str) -> tuple[pl.DataFrame, pl.DataFrame, list[str]]:
    """Make raw clicks, item metadata and notes for 'synthetic:SESSIONS[:SEED]'; raise UserError for another text."""
    sessions, seed = _numbers(name)
    random = np.random.default_rng(seed)
    count = int(np.clip(round(sessions * _ITEMS_PER_SESSION), 200, _MOST_ITEMS))
    lengths = np.minimum(random.geometric(1 / _MEAN, sessions), _LONGEST).astype(np.int64)
    picks = _walk(random, lengths, count)
    owner = np.repeat(np.arange(sessions), lengths)
    items = _items(random, count)
    offered = random.random(len(picks)) < _OFFER
    category = np.where(offered, SPECIAL_OFFER, items[CATEGORY].to_numpy()[picks])
    clicks = pl.DataFrame(
        {
            ROW: np.arange(1, len(picks) + 1),
            SESSION_ID: owner + 1,
            TIMESTAMP: times(random, lengths, _BEGIN.timestamp() + np.sort(random.random(sessions)) * _DAYS * 86_400),
            ITEM_ID: items[ITEM_ID].to_numpy()[picks],
            CATEGORY: category,
        }
    ).with_columns(pl.from_epoch(TIMESTAMP, time_unit="ms").dt.replace_time_zone("UTC").dt.cast_time_unit("us"))
    notes = [
        f"Made-up clicks: {sessions:,} sessions from seed {seed}; they show how things work, not how people click."
    ]
    return clicks, items.drop(CATEGORY), notes


def _numbers(name: str) -> tuple[int, int]:
    parts = name.removeprefix(PREFIX).split(":")
    if len(parts) > 2 or not all(p.isdigit() for p in parts) or not 2 <= int(parts[0]) <= MOST:
        raise UserError(f"'{name}' is not synthetic:SESSIONS[:SEED]: give whole numbers, 2 to {MOST:,} sessions.")
    return int(parts[0]), int(parts[1]) if len(parts) == 2 else _SEED


def _walk(random: np.random.Generator, lengths: Ints, items: int) -> Ints:
    """Walk all sessions step by step at once: mostly inside a group, mostly to a neighbour of the item before."""
    groups = max(1, items // _GROUP_SIZE)
    weights = 1 / np.arange(1, groups + 1) ** 0.6
    group = random.choice(groups, len(lengths), p=weights / weights.sum())
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    picks = np.empty(int(lengths.sum()), np.int64)
    here = _popular(random, group, groups, items)
    picks[starts] = here
    for step in range(1, int(lengths.max())):
        going = np.flatnonzero(lengths > step)
        leave = random.random(len(going)) > _STAY
        group[going[leave]] = random.integers(0, groups, int(leave.sum()))
        near = (random.random(len(going)) < _NEAR) & ~leave
        moved = _popular(random, group[going], groups, items)
        size = _sizes(group[going], groups, items)
        position = here[going] // groups
        hop = random.choice([1, 2, -1, 3], len(going), p=[0.5, 0.25, 0.15, 0.1])
        here[going] = np.where(near, group[going] + groups * ((position + hop) % size), moved)
        picks[starts[going] + step] = here[going]
    return picks


def _sizes(group: Ints, groups: int, items: int) -> Ints:
    """Give the number of items of each group: item i belongs to group i mod groups."""
    return (items - group + groups - 1) // groups


def _popular(random: np.random.Generator, group: Ints, groups: int, items: int) -> Ints:
    """Pick an item of each group, early positions far more often than late ones."""
    size = _sizes(group, groups, items)
    position = (size * random.random(len(group)) ** 2.2).astype(np.int64)
    return group + groups * np.minimum(position, size - 1)


def times(random: np.random.Generator, lengths: Ints, begin: Doubles) -> Ints:
    """Give each click's Unix milliseconds: sessions that begin at `begin` (seconds), clicks a minute or so apart."""
    gaps = random.lognormal(np.log(60), 1.0, int(lengths.sum()))
    total = np.cumsum(gaps)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    return ((np.repeat(begin - total[starts], lengths) + total) * 1000).astype(np.int64)


def _items(random: np.random.Generator, count: int) -> pl.DataFrame:
    ids = 214_500_000 + np.sort(random.choice(count * 20, count, replace=False))
    groups = max(1, count // _GROUP_SIZE)
    group = np.arange(count) % groups
    kind = group % len(_KINDS)
    brand = random.integers(0, len(_MAKERS), count)
    category = (kind + 1).astype(str).astype(object)
    category[random.random(count) < _NO_CATEGORY] = UNKNOWN_CATEGORY
    branded = random.random(count) < 0.05
    category[branded] = (2_089_000_000 + brand[branded]).astype(str)
    return pl.DataFrame(
        {
            ITEM_ID: ids,
            "name": [
                f"{_MAKERS[b]} {_KINDS[k]} {g}-{i}" for b, k, g, i in zip(brand, kind, group, ids % 1000, strict=True)
            ],
            "brand": [_MAKERS[b] for b in brand],
            "price": np.round(random.lognormal(3.5, 0.8, count), 2),
            CATEGORY: category.tolist(),
        }
    )
