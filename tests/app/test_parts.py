"""A card shows an item whatever its metadata hold."""

from datetime import date
from typing import Any

import polars as pl
import pytest

from app.parts import _card, _picture, plain
from pipeline.clicks.assortment import COLOURS
from pipeline.clicks.eshop import _COLOURS

ITEM = {"item_id": "i1", "category": "lamp", "score": 0.5, "rank": 1}


@pytest.mark.parametrize(
    ("more", "shown"),
    [
        ({"price": 25.0, "name": "Lamp <b>"}, ("$25.00", "Lamp &lt;b&gt;", "score 0.50")),
        ({"price": None, "name": None}, ("i1", "lamp · score 0.50")),
        ({"price": "25 EUR", "name": 7}, ("7", "lamp · score 0.50")),
        ({"price": True, "colour": 3, "image_url": 4, "day": date(2024, 1, 1)}, ("lamp · score 0.50",)),
        ({"category": None, "price": 3}, ("unknown to the model · $3.00",)),
    ],
)
def test_a_card(more: dict[str, Any], shown: tuple[str, ...]) -> None:
    drawn = _card(ITEM | more, "#fff", None, None)
    assert all(text in drawn for text in shown), drawn
    pl.from_dicts([ITEM | more]).write_csv()  # as the page offers it


@pytest.mark.parametrize("colour", sorted({*COLOURS, *_COLOURS.values()}))
def test_every_colour_of_the_data_sets_has_a_swatch(colour: str) -> None:
    assert "background:" in _picture({"colour": colour})


def test_a_name_is_no_markdown() -> None:
    assert plain("Shoe *new* 3-pack $5") == r"Shoe \*new\* 3\-pack \$5"
    assert plain("Größe 38, blau") == "Größe 38, blau"
