"""A card shows an item whatever its metadata hold."""

import ast
from datetime import date
from typing import Any

import polars as pl
import pytest

from app.parts.cards import _card, _picture
from app.parts.terms import escaped
from pipeline.clicks.eshop import _COLOURS
from pipeline.clicks.made_up.assortment import COLOURS
from pipeline.core.project import PROJECT
from pipeline.figures.charts import item_map

ITEM = {"item_id": "i1", "category": "lamp", "score": 0.5, "rank": 1}


@pytest.mark.parametrize(
    ("more", "shown"),
    [
        ({"price": 25.0, "name": "Lamp <b>"}, ("$25.00", "Lamp &lt;b&gt;", "score 0.50")),
        ({"price": None, "name": None}, ("i1", "lamp · score 0.50")),
        ({"price": "25 EUR", "name": 7}, ("7", "lamp · score 0.50")),
        ({"price": True, "colour": 3, "image_url": 4, "day": date(2024, 1, 1)}, ("lamp · score 0.50",)),
        ({"category": None, "price": 3}, (">$3.00 · score",)),
        ({"category": "0", "price": 3}, (">$3.00 · score",)),  # how YOOCHOOSE writes that there is none
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
    assert escaped("Shoe *new* 3-pack $5") == r"Shoe \*new\* 3\-pack \$5"
    assert escaped("Größe 38, blau") == "Größe 38, blau"


def test_a_card_of_an_item_that_training_has_not_seen() -> None:
    assert "unknown to the model" in _card({"item_id": "new"}, "#fff", None, 1)


def test_no_category_is_not_called_0() -> None:
    points = pl.DataFrame({"item_id": ["a", "b"], "category": ["0", "lamp"], "x": [0.0, 1.0], "y": [0.0, 1.0]})
    figure = item_map(points, "light", found=["b"])
    assert {trace.name for trace in figure.data} == {"no category", "lamp", "found"}


def test_every_button_that_can_be_grey_says_why() -> None:
    root = PROJECT
    for file in (*root.glob("app/*.py"), *root.glob("pages/*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "button":
                given = {keyword.arg for keyword in node.keywords}
                assert "disabled" not in given or "help" in given, f"{file.name}:{node.lineno}"
