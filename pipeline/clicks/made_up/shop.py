"""A made-up clothes shop and its visitors, who have tastes; it needs no network.

How people click is fitted to published statistics of YOOCHOOSE's clicks, never to a model's score:

- lengths of sessions: 13.7 % have one click and the mean is 3.57 (9,249,729 sessions and 33,003,944 clicks, RecSys
  Challenge 2015; 7,981,581 and 31,708,461 in those of two or more, Hidasi et al. 2016, arXiv:1511.06939);
- repeats: in sessions of two or more a share of .80 of the clicks is on items new to the session (3.17 of 3.95, Ludewig
  and Jannach 2018, arXiv:1803.09587);
- the tail: the first hundredth of the items draws about a sixth of the clicks, the first tenth about half (.17 and .59
  in a week of the challenge's clicks, on 2,933 items).

A visitor has a category, a colour and a price in mind. The next click is the same item or one seen before, an item that
lies beside the last one, another of that category, colour and price, something that goes with it (shoes with a skirt),
or what sells just now.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import polars as pl

from pipeline.clicks.canonical import ROW
from pipeline.clicks.made_up import assortment, synthetic
from pipeline.clicks.made_up.assortment import COLOURS, NEIGHBOURS, STYLES, TIERS, Assortment
from pipeline.core.arrays import Doubles, Ints
from pipeline.core.columns import CATEGORY, ITEM_ID, SESSION_ID, TIMESTAMP
from pipeline.core.errors import UserError

NAME = "shop"
SESSIONS, FEWEST, MOST = 40_000, 200, 1_000_000
ITEMS, FEWEST_ITEMS, ITEMS_PER_SESSION = 12_000, 400, 0.3  # five sixths of them are clicked
_SEED = 2026
_LENGTH, _SPREAD, _LONGEST = 0.832, 0.761, 60  # of the logarithm: gives the published mean and share of single clicks
_BEGIN, _DAYS = datetime(2025, 1, 1, tzinfo=UTC), 365
_HOURS = np.array(
    [2, 1, 1, 1, 1, 1, 2, 4, 6, 7, 7, 7, 8, 7, 7, 7, 7, 8, 9, 11, 13, 12, 8, 4]
)  # visits by hour of the day
_OUT_OF_SEASON = 0.25
_AGAIN, _BESIDE, _TASTE, _MATCH = 0.185, 0.43, 0.2, 0.06  # what the next click is; the rest goes to what sells just now
_SAME = 0.65  # share of the clicks again that fall on the item just seen
_FOLLOW = 0.3  # chance that an item's colour becomes the visitor's
_MATCHES = (  # what goes with a category, e.g. blouses, shoes or knitwear with skirts
    ("blouses", "shoes", "knitwear"),
    ("shoes", "bags", "jackets"),
    ("skirts", "trousers", "knitwear"),
    ("jeans", "trousers", "knitwear"),
    ("shirts", "blouses", "shoes"),
    ("shirts", "knitwear", "jackets"),
    ("jeans", "skirts", "coats"),
    ("dresses", "jeans", "shirts"),
    ("knitwear", "shoes", "accessories"),
    ("bags", "dresses", "jeans"),
    ("shoes", "accessories", "dresses"),
    ("coats", "bags", "knitwear"),
)


def is_shop(name: str) -> bool:
    """Tell whether `--clicks` names the shop: 'shop', or 'shop:SESSIONS'."""
    return name == NAME or name.startswith(f"{NAME}:")


def read(name: str) -> tuple[pl.DataFrame, pl.DataFrame, list[str]]:
    """Make raw clicks, item metadata and notes for 'shop[:SESSIONS[:SEED]]'; raise UserError for another text."""
    sessions, seed = _numbers(name)
    random = np.random.default_rng(seed)
    goods = assortment.assortment(random, int(np.clip(sessions * ITEMS_PER_SESSION, FEWEST_ITEMS, ITEMS)))
    lengths = np.ceil(np.exp(random.normal(_LENGTH, _SPREAD, sessions))).clip(1, _LONGEST).astype(np.int64)
    begin = _begin(random, sessions)
    picks = _Walk(random, goods, _month(begin)).picks(lengths)
    owner = np.repeat(np.arange(sessions), lengths)
    clicks = pl.DataFrame(
        {
            ROW: np.arange(1, len(picks) + 1),
            SESSION_ID: owner + 1,
            TIMESTAMP: synthetic.times(random, lengths, begin),
            ITEM_ID: goods.table[ITEM_ID].gather(picks),
            CATEGORY: goods.table[CATEGORY].gather(picks),
        }
    ).with_columns(pl.from_epoch(TIMESTAMP, time_unit="ms").dt.replace_time_zone("UTC").dt.cast_time_unit("us"))
    notes = [
        f"A made-up shop: {sessions:,} visits from seed {seed}, with the lengths, repeats and long tail of real "
        "clicks; it shows how things work, not how people click."
    ]
    return clicks, goods.table.drop(CATEGORY), notes


def _numbers(name: str) -> tuple[int, int]:
    parts = name.split(":")[1:] or [str(SESSIONS)]
    if len(parts) > 2 or not all(p.isdecimal() for p in parts) or not FEWEST <= int(parts[0]) <= MOST:
        raise UserError(f"'{name}' is not shop[:SESSIONS[:SEED]]: give whole numbers, {FEWEST} to {MOST:,} sessions.")
    return int(parts[0]), int(parts[1]) if len(parts) == 2 else _SEED


def _begin(random: np.random.Generator, sessions: int) -> Doubles:
    """Give each session's first moment in Unix seconds, in order: any day of the year, most of them in the evening."""
    day = random.integers(0, _DAYS, sessions)
    hour = random.choice(24, sessions, p=_HOURS / _HOURS.sum())
    return np.sort(_BEGIN.timestamp() + day * 86_400.0 + hour * 3600 + random.random(sessions) * 3600)


def _month(begin: Doubles) -> Ints:
    return (begin * 1e6).astype("datetime64[us]").astype("datetime64[M]").astype(np.int64) % 12


@dataclass
class _Taste:
    """What each visitor likes at this moment; arrays of one entry a session."""

    category: Ints
    colour: Ints
    tier: Ints

    def cell(self, of: Ints) -> Ints:
        """Give the number of the part of the shop that each of these sessions likes."""
        return (self.category[of] * len(COLOURS) + self.colour[of]) * TIERS + self.tier[of]


class _Walk:
    """All visitors at once, click by click."""

    def __init__(self, random: np.random.Generator, goods: Assortment, month: Ints) -> None:
        self.random, self.goods, self.month = random, goods, month
        cells = len(STYLES) * len(COLOURS) * TIERS
        cell = (goods.category * len(COLOURS) + goods.colour) * TIERS + goods.tier
        self.edges = np.searchsorted(cell, np.arange(cells + 1))
        self.appeal = np.concatenate([[0.0], np.cumsum(goods.appeal * _in_season(goods.season))])
        names = list(STYLES)
        self.matches = np.array([[names.index(m) for m in matches] for matches in _MATCHES])
        model = random.choice(len(goods.appeal), len(month), p=goods.appeal / goods.appeal.sum())
        self.taste = _Taste(goods.category[model], goods.colour[model], goods.tier[model])

    def picks(self, lengths: Ints) -> Ints:
        """Give the items clicked, session after session."""
        starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        picks = np.empty(int(lengths.sum()), np.int64)
        picks[starts] = self._liked(np.arange(len(lengths)))
        for step in range(1, int(lengths.max())):
            going = np.flatnonzero(lengths > step)
            picks[starts[going] + step] = self._next(going, picks, starts[going], step)
        return picks

    def _next(self, going: Ints, picks: Ints, starts: Ints, step: int) -> Ints:
        random, taste = self.random, self.taste
        last = picks[starts + step - 1]
        what = np.searchsorted(np.cumsum([_AGAIN, _BESIDE, _TASTE, _MATCH]), random.random(len(going)), side="right")
        match = going[what == 3]
        taste.category[match] = self.matches[taste.category[match], random.integers(0, 3, len(match))]
        earlier = picks[starts + (random.random(len(going)) * step).astype(np.int64)]
        again = np.where(random.random(len(going)) < _SAME, last, earlier)
        place = (NEIGHBOURS * random.random(len(going)) ** 2).astype(np.int64)  # the nearest ones far more often
        liked = self._liked(going)
        picked = np.choose(what.clip(0, 3), [again, self.goods.beside[last, place], liked, liked])
        browse = what == 4
        picked[browse] = self._drawn(going[browse], 0, len(self.goods.appeal))
        follow = going[random.random(len(going)) < _FOLLOW]
        taste.colour[follow] = self.goods.colour[picked[np.searchsorted(going, follow)]]
        taste.category[going] = self.goods.category[picked]
        return picked

    def _liked(self, sessions: Ints) -> Ints:
        """Draw an item of the colour, category and price that each session likes, or of the category where none is."""
        cell = self.taste.cell(sessions)
        low, high = self.edges[cell], self.edges[cell + 1]
        size = len(COLOURS) * TIERS
        whole = self.taste.category[sessions] * size
        none = low == high
        return self._drawn(
            sessions, np.where(none, self.edges[whole], low), np.where(none, self.edges[whole + size], high)
        )

    def _drawn(self, sessions: Ints, low: Ints | int, high: Ints | int) -> Ints:
        """Draw items `low` … `high - 1` by their appeal in the session's month."""
        count = len(self.goods.appeal)
        month = self.month[sessions] * count
        below, above = self.appeal[month + low], self.appeal[month + high]
        at = below + self.random.random(len(sessions)) * (above - below)
        found = np.searchsorted(self.appeal, at, side="right") - 1 - month
        return np.clip(found, low, np.asarray(high) - 1)


def _in_season(season: Ints) -> Doubles:
    """Weigh each item in each month, (12, items): full in its season, a quarter half a year later."""
    weights = np.empty((12, len(assortment.SEASONS)))
    for s in range(4):
        middle = 3.0 + 3 * s  # spring around April, as months are counted from 0
        away = np.abs((np.arange(12) - middle + 6) % 12 - 6) / 6
        weights[:, s] = 1 - (1 - _OUT_OF_SEASON) * away
    weights[:, 4] = 0.8
    return weights[:, season]
