"""Options refuse what breaks a rule, in one sentence, and are the same read from JSON, from text and from a form."""

import math
import subprocess
import sys
from collections.abc import Callable
from typing import Annotated, Any, Self

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import Field, model_validator

from pipeline.core.errors import UserError
from pipeline.core.options import Options


class Shelf(Options):
    """Something to choose of each kind."""

    books: int = Field(default=3, ge=1, le=10, description="How many.")
    width: float = Field(default=0.5, gt=0, lt=1, description="Of each.")
    height: float = Field(default=2.0, ge=0, description="Of all.")
    wood: str = Field(default="oak", description="What it is made of.")
    sorted: bool = Field(default=False, description="By name.")
    rows: tuple[Annotated[int, Field(ge=1, le=9)], ...] = Field(default=(1, 2), strict=False, description="On which.")

    @model_validator(mode="after")
    def _few_are_wide(self) -> Self:
        if self.books * self.width > 5:
            raise UserError(f"{self.books} books of {self.width} do not fit: choose fewer.")
        return self


SINGLE = {name: field for name, field in Shelf.model_fields.items() if name != "rows"}


def _refused(**chosen: Any) -> str:
    with pytest.raises(UserError) as refused:
        Shelf(**chosen)
    return str(refused.value)


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({"books": 0}, "books 0 is out of range: choose 1 to 10."),
        ({"books": 11}, "books 11 is out of range: choose 1 to 10."),
        ({"width": 1.0}, "width 1.0 is out of range: choose above 0, below 1."),
        ({"width": math.nan}, "width nan is out of range: choose above 0, below 1."),
        ({"height": math.inf}, "height inf is out of range: choose 0 or more."),
        ({"books": 2.5}, "books '2.5' is not a whole number: write it like books=3."),
        ({"books": "4"}, "books '4' is not a whole number: write it like books=3."),
        ({"books": True}, "books 'true' is not a number: write it like books=3."),
        ({"width": False}, "width 'false' is not a number: write it like width=0.5."),
        ({"rows": (3, 10)}, "rows 10 is out of range: choose 1 to 9."),
        ({"rows": (3, "x")}, "rows 'x' is not a number: write it like rows=1,2."),
        ({"rows": None}, "rows 'None' is not a number: write it like rows=1,2."),
        ({"sorted": 1}, "sorted '1' is not true or false: write it like sorted=false."),
        ({"wood": 7}, "wood '7' is not text: write it like wood=oak."),
        (
            {"widht": 0.1},
            "There is no option 'widht': choose books, width, height, wood, sorted, rows. "
            "Did you mean width or height?",
        ),
        ({"books": 10, "width": 0.9}, "10 books of 0.9 do not fit: choose fewer."),
    ],
)
def test_what_breaks_a_rule_is_one_sentence(chosen: dict[str, Any], expected: str) -> None:
    assert _refused(**chosen) == expected
    with pytest.raises(UserError, match="is out of range|is not|no option|do not fit"):
        Shelf().replace(**chosen)


def test_nothing_is_set_later() -> None:
    shelf = Shelf()
    with pytest.raises(ValueError, match="frozen"):
        shelf.books = 4  # type: ignore[misc]
    assert hash(shelf) == hash(Shelf())


@settings(deadline=None)
@given(st.integers(1, 10), st.floats(0.01, 0.5), st.floats(0, 1e300), st.text(), st.booleans())
@example(3, 0.5, 0.0, "", False)
def test_options_are_the_same_through_json(books: int, width: float, height: float, wood: str, by: bool) -> None:
    shelf = Shelf(books=books, width=width, height=height, wood=wood, sorted=by)
    assert Shelf.model_validate_json(shelf.model_dump_json()) == shelf
    assert shelf.replace(books=books) == shelf


def _answer(call: Callable[[], Any]) -> tuple[Any, str]:
    """Give what a call gives, or the sentence that refuses."""
    try:
        return call(), ""
    except UserError as refused:
        return None, str(refused)


@settings(deadline=None)
@given(st.one_of(st.integers(), st.floats(), st.text(), st.booleans(), st.none()))
@example(10**400)
def test_any_value_is_taken_as_it_is_or_refused(value: Any) -> None:
    for name, field in SINGLE.items():
        shelf, refused = _answer(lambda name=name: Shelf(**{name: value}))  # type: ignore[misc]
        if shelf is None:
            assert name in refused or "fit" in refused
        else:
            taken = getattr(shelf, name)
            assert type(taken) is field.annotation
            assert taken == type(taken)(value)
            assert type(value) is type(taken) or (type(value), type(taken)) == (int, float)


@settings(deadline=None)
@given(st.text())
@example("1_0")
@example("nan")
@example("-1")
@example("1e999")
def test_any_text_is_read_as_a_value_in_range_or_refused(text: str) -> None:
    for name, field in SINGLE.items():
        value, refused = _answer(lambda name=name: Shelf.read(name, text))  # type: ignore[misc]
        if refused:
            assert refused.startswith(name)
        else:
            assert type(value) is field.annotation
            assert getattr(Shelf(**{name: value}), name) == value


def test_the_command_line_starts_without_pydantic() -> None:
    code = "import sys, pipeline.cli; print('pydantic' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == ["False"]
