"""Filters of a search: what is checked before Milvus is asked, and the simple ones that a page puts together.

Milvus 2.3 knows no null, so what is unknown has a value in its place (`UNKNOWN`), and an expression is written anew for
Milvus by the three-valued logic of SQL: a comparison with what is unknown is neither true nor false, `not` of it too.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.core.columns import CATEGORY, POPULARITY, PRICE
from pipeline.core.errors import UserError
from pipeline.core.text import did_you_mean

UNKNOWN: dict[str, str | float] = {CATEGORY: "", PRICE: -1e300}  # no price; metadata's empty text is unknown, too
_QUOTED = r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'"""
_TEXT = re.compile(_QUOTED)
_WORD = re.compile(r"(?<![\w.])[A-Za-z_]\w*")
_OPERATORS = {"and", "or", "not", "in", "like", "true", "false", "is", "null"}
_TOKEN = re.compile(rf"{_QUOTED}|&&|\|\||!=|[\w.]+|\s+|.", re.DOTALL)
_JOINS, _NOT, _OPEN, _CLOSE = {"and": "and", "&&": "and", "or": "or", "||": "or"}, ("not", "!"), "([", ")]"
_OTHER = {"and": "or", "or": "and"}
_NULL = re.compile(r"(\w+)\s+is\s+(not\s+)?null", re.IGNORECASE)
_LIST = re.compile(rf"{CATEGORY} in (\[.*\])")
_BOUND = re.compile(rf"({PRICE}|{POPULARITY}) (>=|<=) (-?[\d.]+)")


@dataclass(frozen=True)
class FilterChoice:
    """What a person can choose without writing an expression; what is empty or None lets everything through."""

    categories: tuple[str, ...] = ()
    cheapest: float | None = None
    dearest: float | None = None
    popularity: int | None = None


@dataclass(frozen=True)
class Filter:
    """An expression that was checked, as it was written and as Milvus reads it."""

    written: str
    where: str


def read_filter(index: dict[str, Any], expression: str) -> Filter:
    """Check an expression over an index's columns and write it for Milvus; raise UserError before that is asked."""
    _check_columns(index, expression)
    return Filter(expression, for_milvus(expression, index["unknown"]))


def _check_columns(index: dict[str, Any], expression: str) -> None:
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


def for_milvus(expression: str, unknown: Mapping[str, str | float]) -> str:
    """Write an expression so that Milvus lets through the rows of which it is true, whatever is unknown of the others.

    `unknown` gives each column that may be unknown the value that stands for it; `price is null` asks for those rows.
    Raises UserError for `is null` of another column. What is no expression is left for Milvus to refuse.
    """
    tokens = [_spelled(token) for token in _TOKEN.findall(expression)]
    expression = "".join(tokens)
    if not _NULL.search(expression) and not _columns(expression, unknown):
        return expression
    try:
        tree, rest = _joined(tokens, "or")
        return expression if rest else _where(tree, unknown, holds=True)
    except RecursionError as error:
        raise UserError(
            f"The filter {expression[:60]}… is nested too deeply: write it with fewer parentheses."
        ) from error


@dataclass(frozen=True)
class _Joined:
    """Parts joined by `and` or `or`."""

    word: str
    parts: tuple["_Node", ...]


@dataclass(frozen=True)
class _Not:
    """What `not` stands before."""

    of: "_Node"


_Node = _Joined | _Not | str  # a text is a comparison, as it was written


def _joined(tokens: list[str], word: str) -> tuple[_Node, list[str]]:
    """Read parts joined by `word`; give them and the tokens that are left."""
    parts = []
    while True:
        part, tokens = _joined(tokens, "and") if word == "or" else _unit(tokens)
        parts.append(part)
        if not tokens or _JOINS.get(tokens[0].lower()) != word:
            return (parts[0] if len(parts) == 1 else _Joined(word, tuple(parts))), tokens
        tokens = tokens[1:]


def _unit(tokens: list[str]) -> tuple[_Node, list[str]]:
    """Read a comparison, one in parentheses, or `not` before either."""
    while tokens and tokens[0].isspace():
        tokens = tokens[1:]
    if tokens and tokens[0].lower() in _NOT:
        of, rest = _unit(tokens[1:])
        return _Not(of), rest
    if tokens and tokens[0] == "(":
        inside, rest = _joined(tokens[1:], "or")
        after = _stripped(rest[1:])
        if rest[:1] == [")"] and (not after or after[0] == ")" or after[0].lower() in _JOINS):
            return inside, after
    end = depth = 0  # a comparison may hold parentheses, around what it reckons, and lists
    while end < len(tokens) and (depth or not (tokens[end] in _CLOSE or tokens[end].lower() in _JOINS)):
        depth += (tokens[end] in _OPEN) - (tokens[end] in _CLOSE)
        end += 1
    return "".join(tokens[:end]).strip(), tokens[end:]


def _spelled(token: str) -> str:
    """Spell an operator as Milvus reads it, in small letters: to it NOT(price < 1) is the call of a function."""
    return token.lower() if token.lower() in _OPERATORS else token


def _stripped(tokens: list[str]) -> list[str]:
    return tokens[1:] if tokens and tokens[0].isspace() else tokens


def _where(node: _Node, unknown: Mapping[str, str | float], *, holds: bool) -> str:
    """Write the condition under which a node is true, or false, and not unknown."""
    if isinstance(node, _Not):
        return _where(node.of, unknown, holds=not holds)
    if isinstance(node, _Joined):
        word = node.word if holds else _OTHER[node.word]
        return f"({f' {word} '.join(_where(part, unknown, holds=holds) for part in node.parts)})"
    if found := _NULL.fullmatch(node):
        if found[1] not in unknown:
            raise UserError(f"'{found[1]}' is never unknown: leave '{node}' out of the filter.")
        return f"({found[1]} {'!=' if bool(found[2]) == holds else '=='} {_literal(unknown[found[1]])})"
    known = [f"{name} != {_literal(unknown[name])}" for name in _columns(node, unknown)]
    return f"({' and '.join([*known, f'({node})' if holds else f'(not ({node}))'])})"


def _columns(expression: str, unknown: Mapping[str, str | float]) -> list[str]:
    return sorted(set(_WORD.findall(_TEXT.sub(" ", expression))) & set(unknown))


def _literal(value: str | float) -> str:
    return json.dumps(value)


def quoted(values: Sequence[str]) -> str:
    """Write texts as the list that an expression's `in` takes."""
    return json.dumps(list(values), ensure_ascii=False)


def compose(choice: FilterChoice) -> str:
    """Write a choice as an expression; '' where it lets everything through."""
    parts = [f"{CATEGORY} in {quoted(choice.categories)}"] if choice.categories else []
    bounds = ((PRICE, ">=", choice.cheapest), (PRICE, "<=", choice.dearest), (POPULARITY, ">=", choice.popularity))
    parts += [f"{column} {sign} {value:.12g}" for column, sign, value in bounds if value is not None]
    return " and ".join(parts)


def read_choice(expression: str) -> FilterChoice | None:
    """Read an expression back to the choice that it was composed of; None where it is another one."""
    found = _LIST.match(expression)
    try:
        categories = tuple(json.loads(found[1])) if found else ()
    except json.JSONDecodeError:
        return None
    bounds = {(column, sign): float(value) for column, sign, value in _BOUND.findall(_TEXT.sub("", expression))}
    least = bounds.get((POPULARITY, ">="))
    choice = FilterChoice(
        categories, bounds.get((PRICE, ">=")), bounds.get((PRICE, "<=")), None if least is None else int(least)
    )
    return choice if compose(choice) == expression else None
