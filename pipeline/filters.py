"""Filters of a search: what is checked before Milvus is asked, and the simple ones that a page puts together."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.errors import UserError
from pipeline.names import CATEGORY, POPULARITY, PRICE
from pipeline.text import did_you_mean

_TEXT = re.compile(r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'""")
_WORD = re.compile(r"(?<![\w.])[A-Za-z_]\w*")
_OPERATORS = {"and", "or", "not", "in", "like", "true", "false"}
_LIST = re.compile(rf"{CATEGORY} in (\[.*\])")
_BOUND = re.compile(rf"({PRICE}|{POPULARITY}) (>=|<=) (-?[\d.]+)")


@dataclass(frozen=True)
class Choice:
    """What a person can choose without writing an expression; what is empty or None lets everything through."""

    categories: tuple[str, ...] = ()
    cheapest: float | None = None
    dearest: float | None = None
    popularity: int | None = None


def check_filter(index: dict[str, Any], expression: str) -> None:
    """Check the columns that an expression names before Milvus reads it; raise UserError."""
    columns = index.get("columns") or []
    if not columns:
        raise UserError(f"Index '{index['name']}' was built without columns to filter by: build it again.")
    bare = _TEXT.sub(" ", expression)
    if "'" in bare or '"' in bare:
        raise UserError(f"The filter {expression} opens a quote and does not close it: close it.")
    for word in _WORD.findall(bare):
        if word.lower() not in _OPERATORS and word not in columns:
            raise UserError(
                f"Index '{index['name']}' has no column '{word}': it has {', '.join(columns)}, and a text is written "
                f"in quotes.{did_you_mean(word, columns)}"
            )


def quoted(values: Sequence[str]) -> str:
    """Write texts as the list that an expression's `in` takes."""
    return json.dumps(list(values), ensure_ascii=False)


def compose(choice: Choice) -> str:
    """Write a choice as an expression; '' where it lets everything through."""
    parts = [f"{CATEGORY} in {quoted(choice.categories)}"] if choice.categories else []
    bounds = ((PRICE, ">=", choice.cheapest), (PRICE, "<=", choice.dearest), (POPULARITY, ">=", choice.popularity))
    parts += [f"{column} {sign} {value:.12g}" for column, sign, value in bounds if value is not None]
    return " and ".join(parts)


def read(expression: str) -> Choice | None:
    """Read an expression back to the choice that it was composed of; None where it is another one."""
    found = _LIST.match(expression)
    try:
        categories = tuple(json.loads(found[1])) if found else ()
    except json.JSONDecodeError:
        return None
    bounds = {(column, sign): float(value) for column, sign, value in _BOUND.findall(_TEXT.sub("", expression))}
    least = bounds.get((POPULARITY, ">="))
    choice = Choice(
        categories, bounds.get((PRICE, ">=")), bounds.get((PRICE, "<=")), None if least is None else int(least)
    )
    return choice if compose(choice) == expression else None
