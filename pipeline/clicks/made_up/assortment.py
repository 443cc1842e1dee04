"""The made-up shop's items: what they are called, what they cost, when they are worn, and which lie beside which."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline.core.arrays import Doubles, Ints
from pipeline.core.columns import CATEGORY, ITEM_ID

SPRING, SUMMER, AUTUMN, WINTER, ALWAYS = SEASONS = ("spring", "summer", "autumn", "winter", "all year")
# category -> style: (price of the middle tier, season)
STYLES: dict[str, dict[str, tuple[int, str]]] = {
    "skirts": {
        "wrap skirt": (45, SPRING),
        "pleated skirt": (50, ALWAYS),
        "pencil skirt": (40, ALWAYS),
        "maxi skirt": (55, SUMMER),
        "wool skirt": (60, WINTER),
    },
    "dresses": {
        "shirt dress": (70, ALWAYS),
        "maxi dress": (85, SUMMER),
        "summer dress": (60, SUMMER),
        "wrap dress": (75, SPRING),
        "knitted dress": (80, WINTER),
        "party dress": (110, WINTER),
    },
    "blouses": {
        "silk blouse": (80, ALWAYS),
        "linen blouse": (50, SUMMER),
        "ruffled blouse": (45, SPRING),
        "cotton blouse": (40, ALWAYS),
    },
    "shirts": {
        "T-shirt": (20, SUMMER),
        "polo shirt": (35, SUMMER),
        "oxford shirt": (50, ALWAYS),
        "flannel shirt": (45, AUTUMN),
        "long-sleeved top": (30, AUTUMN),
    },
    "trousers": {
        "wide-leg trousers": (60, ALWAYS),
        "chinos": (55, SPRING),
        "linen trousers": (60, SUMMER),
        "corduroy trousers": (65, AUTUMN),
    },
    "jeans": {
        "straight jeans": (70, ALWAYS),
        "skinny jeans": (60, ALWAYS),
        "flared jeans": (75, SPRING),
        "high-waisted jeans": (70, AUTUMN),
    },
    "knitwear": {
        "cardigan": (55, AUTUMN),
        "roll-neck jumper": (60, WINTER),
        "cable-knit jumper": (70, WINTER),
        "cotton jumper": (45, SPRING),
        "cashmere jumper": (120, WINTER),
    },
    "jackets": {
        "denim jacket": (75, SPRING),
        "rain jacket": (90, AUTUMN),
        "bomber jacket": (80, AUTUMN),
        "blazer": (110, ALWAYS),
        "leather jacket": (190, AUTUMN),
    },
    "coats": {"trench coat": (150, SPRING), "wool coat": (180, WINTER), "puffer coat": (140, WINTER)},
    "shoes": {
        "trainers": (80, ALWAYS),
        "sandals": (60, SUMMER),
        "ballet flats": (65, SPRING),
        "ankle boots": (120, AUTUMN),
        "lined boots": (140, WINTER),
    },
    "bags": {"shoulder bag": (90, ALWAYS), "tote bag": (60, ALWAYS), "straw bag": (45, SUMMER)},
    "accessories": {
        "silk scarf": (35, SPRING),
        "wool scarf": (40, WINTER),
        "leather belt": (35, ALWAYS),
        "sun hat": (30, SUMMER),
        "beanie": (20, WINTER),
    },
}
COLOURS = ("black", "white", "grey", "beige", "brown", "navy", "blue", "green", "olive", "red", "pink", "yellow")
TIERS = 3  # of price
NEIGHBOURS = 8  # items that are shown beside an item
_SHARE_OF_COLOUR = np.array([5, 4, 3, 3, 2, 4, 3, 2, 1, 2, 2, 1]) / 32
_SHARE_OF_TIER, _PRICE_OF_TIER = (0.4, 0.4, 0.2), np.array([0.6, 1.0, 1.9])
_TAIL = 1.65  # spread of the logarithm of an item's appeal; see shop.py
_DRAW = 8  # how much nearer an item seems whose appeal is one spread higher
_LOOKS = 5  # hidden sides of an item's look, each -3 … 3
_OTHER_STYLE, _OTHER_COLOUR, _OTHER_TIER = 60, 24, 20  # distances, in squared steps of a look


@dataclass(frozen=True)
class Assortment:
    """Items sorted by category, colour and tier; every array has one entry an item."""

    category: Ints
    colour: Ints
    tier: Ints
    season: Ints
    """Index into SEASONS."""
    appeal: Doubles
    beside: Ints
    """(items, NEIGHBOURS): the items of the category that look most alike, nearest first."""
    table: pl.DataFrame
    """item_id, name, style, colour, season, price, category."""


def assortment(random: np.random.Generator, count: int) -> Assortment:
    """Make `count` items."""
    kinds = [(c, name, *facts) for c, styles in enumerate(STYLES.values()) for name, facts in styles.items()]
    style = random.integers(0, len(kinds), count)
    colour = random.choice(len(COLOURS), count, p=_SHARE_OF_COLOUR)
    tier = random.choice(TIERS, count, p=_SHARE_OF_TIER)
    category = np.array([k[0] for k in kinds])[style]
    order = np.lexsort((style, tier, colour, category))
    style, colour, tier, category = style[order], colour[order], tier[order], category[order]
    look = random.integers(-3, 4, (count, _LOOKS))
    appeal = random.normal(0, 1, count)
    price = np.array([k[2] for k in kinds])[style] * _PRICE_OF_TIER[tier] * random.uniform(0.85, 1.15, count)
    number = 1 + random.permutation(count)
    season = np.array([SEASONS.index(k[3]) for k in kinds])[style]
    table = pl.DataFrame(
        {
            ITEM_ID: [f"{chr(ord('A') + c)}{n}" for c, n in zip(category, number, strict=True)],
            "name": [
                f"{COLOURS[k].capitalize()} {kinds[s][1]} {n}" for k, s, n in zip(colour, style, number, strict=True)
            ],
            "style": [kinds[s][1] for s in style],
            "colour": [COLOURS[k] for k in colour],
            "season": [SEASONS[s] for s in season],
            "price": np.floor(price) + 0.95,
            CATEGORY: [list(STYLES)[c] for c in category],
        }
    )
    beside = _beside(category, np.c_[style, colour, tier, look], np.round(_DRAW * appeal).astype(np.int64))
    return Assortment(category, colour, tier, season, np.exp(_TAIL * appeal), beside, table)


def _beside(category: Ints, facts: Ints, draw: Ints) -> Ints:
    """Find the nearest items of the same category, each `draw` nearer; in whole numbers, so alike on every machine."""
    near = np.empty((len(facts), NEIGHBOURS), np.int64)
    for one in np.unique(category):
        members = np.flatnonzero(category == one)
        style, colour, tier, *looks = facts[members].T
        apart = _OTHER_STYLE * (style[:, None] != style) + _OTHER_COLOUR * (colour[:, None] != colour)
        apart += _OTHER_TIER * (tier[:, None] - tier) ** 2
        for look in looks:
            apart += (look[:, None] - look) ** 2
        apart -= draw[members]
        np.fill_diagonal(apart, np.iinfo(np.int64).max)
        nearest = np.argsort(apart, axis=1, kind="stable")[:, :NEIGHBOURS]
        near[members] = members[
            np.resize(nearest, (len(members), NEIGHBOURS)) if nearest.shape[1] < NEIGHBOURS else nearest
        ]
    return near
