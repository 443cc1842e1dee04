"""What is unknown passes no comparison, nor its contrary: SQL's three-valued logic, told by a few lines of Python."""

import operator
from dataclasses import dataclass
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.errors import UserError
from pipeline.indexes.build import IndexConfig, build_index
from pipeline.indexes.filters import UNKNOWN, for_milvus
from pipeline.indexes.registry import find_index
from pipeline.search.milvus.client import MilvusEngine
from pipeline.serving.recommender import Query, Recommender
from pipeline.store.stage import MANIFEST
from pipeline.store.workspace import Workspace, read_json, write_json
from tests.made.road import make_road

Row = dict[str, Any]
Truth = bool | None
PRICES, CATEGORIES = (-1.0, -0.5, 0.0, 19.9, 20.0, 40.0), ("skirts", "a or (b", 'it\'s "x"', "-1")
_SIGNS = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


@dataclass(frozen=True)
class Written:
    """An expression, and what it is worth of a row: true, false, or None where that is unknown."""

    text: str
    parts: tuple["Written", ...] = ()
    kind: str = ""
    column: str = ""
    sign: str = ""
    value: Any = None

    def of(self, row: Row) -> Truth:
        found = [part.of(row) for part in self.parts]
        if self.kind == "not":
            return None if found[0] is None else not found[0]
        if self.kind in ("and", "or"):
            decides = self.kind == "or"
            return decides if decides in found else None if None in found else not decides
        known = row[self.column]
        if self.sign.endswith("null"):
            return (known is None) != ("not" in self.sign)
        return None if known is None else self._compared(known)

    def _compared(self, known: Any) -> bool:
        if self.sign == "between":
            return bool(self.value[0] < known <= self.value[1])
        if self.sign in _IN:
            return (known in self.value) == (self.sign.lower() == "in")
        return bool(_SIGNS[self.sign](known + 1 if self.kind == "sum" else known, self.value))


def _text(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _compared(column: str, sign: str, value: Any, literal: str) -> Written:
    return Written(f"{column} {sign} {literal}", (), "", column, sign, value)


_PRICE = st.sampled_from(PRICES)
_IN = ["in", "not in", "IN", "NOT IN"]  # people write SQL's words in capitals
_EQUAL = ["==", "!="]  # what Milvus 2.3 compares a sum by
_ATOMS = st.one_of(
    st.builds(lambda s, v: _compared("price", s, v, str(v)), st.sampled_from(list(_SIGNS)), _PRICE),
    st.builds(lambda s, v: Written(f"price + 1 {s} {v}", (), "sum", "price", s, v), st.sampled_from(_EQUAL), _PRICE),
    st.builds(lambda a, b: Written(f"{a} < price <= {b}", (), "", "price", "between", (a, b)), _PRICE, _PRICE),
    st.builds(
        lambda s, v: _compared("category", s, v, _text(v)), st.sampled_from(_EQUAL), st.sampled_from(CATEGORIES)
    ),
    st.builds(
        lambda s, v: _compared("category", s, v, f"[{', '.join(map(_text, v))}]"),
        st.sampled_from(_IN),
        st.lists(st.sampled_from(CATEGORIES), min_size=1, max_size=3),
    ),
    st.builds(lambda s, v: _compared("popularity", s, v, str(v)), st.sampled_from(list(_SIGNS)), st.integers(0, 3)),
    st.builds(lambda c, s: Written(f"{c} {s}", (), "", c, s), st.sampled_from(["price", "category"]),
              st.sampled_from(["is null", "is not null"])),
)  # fmt: skip


def _joined(word: str, parts: list[Written], sign: str) -> Written:
    return Written(
        f" {sign} ".join(f"({p.text})" if p.kind in ("and", "or") else p.text for p in parts), tuple(parts), word
    )


def _not(sign: str, part: Written) -> Written:
    return Written(f"{sign}({part.text})", (part,), "not")


EXPRESSIONS = st.recursive(
    _ATOMS,
    lambda inner: st.one_of(
        st.builds(_not, st.sampled_from(["not ", "!", "NOT", "not not not "]), inner),
        st.builds(
            _joined, st.just("and"), st.lists(inner, min_size=2, max_size=3), st.sampled_from(["and", "&&", "AND"])
        ),
        st.builds(_joined, st.just("or"), st.lists(inner, min_size=2, max_size=3), st.sampled_from(["or", "||", "Or"])),
    ),
    max_leaves=8,
)
ROWS = [
    {"price": price, "category": category, "popularity": n % 4}
    for n, (price, category) in enumerate((p, c) for p in (None, *PRICES) for c in (None, *CATEGORIES))
]


def _stored(row: Row) -> Row:
    return {name: UNKNOWN[name] if value is None else value for name, value in row.items()}


@settings(max_examples=150, deadline=None)
@given(EXPRESSIONS)
def test_it_is_written_so_that_two_values_give_what_three_do(expression: Written) -> None:
    """The translation knows nothing of null, and is Python too once only `and`, `or` and `not` are left in it."""
    where = for_milvus(expression.text, UNKNOWN)
    where = where.replace("&&", " and ").replace("||", " or ").replace("!(", "not (")
    for row in ROWS:
        assert eval(where, {"__builtins__": {}}, _stored(row)) == (expression.of(row) is True), (where, row)


@pytest.mark.parametrize(
    ("expression", "where"),
    [
        ("popularity >= 900", "popularity >= 900"),
        ("item_id in ['price', 'b']", "item_id in ['price', 'b']"),
        ("NOT(popularity < 0) AND item_id IN ['NOT']", "not(popularity < 0) and item_id in ['NOT']"),
        ("not price < 98", "(price != -1e+300 and (not (price < 98)))"),
        ("price < 40)", "price < 40)"),
        ("(price + 1) * 2 == 4", "(price != -1e+300 and ((price + 1) * 2 == 4))"),
        ("price IS NOT NULL", "(price != -1e+300)"),
        ("", ""),
    ],
)
def test_no_more_is_written_than_has_to_be(expression: str, where: str) -> None:
    assert for_milvus(expression, UNKNOWN) == where


def test_what_is_never_unknown_and_what_is_too_deep() -> None:
    with pytest.raises(UserError, match="'popularity' is never unknown"):
        for_milvus("popularity is null", UNKNOWN)
    with pytest.raises(UserError, match="nested too deeply"):
        for_milvus("(" * 5000 + "price < 1" + ")" * 5000, UNKNOWN)


@pytest.fixture(scope="module")
def shop(served: Workspace, engine: MilvusEngine) -> Recommender:
    """Index a catalogue of every price with every category, unknown ones too; the key gives the row."""
    table = pl.DataFrame(ROWS, schema={"price": pl.Float64, "category": pl.String, "popularity": pl.Int64})
    make_road(served, items=len(ROWS), seed=9)
    path = served.stage("models/session") / "items.parquet"
    catalogue = pl.read_parquet(path).with_columns(
        table["price"], table["category"], table["popularity"].alias("train_clicks")
    )
    catalogue.write_parquet(path)
    build_index(served, IndexConfig(index="FLAT", label="unknown"), engine)
    return Recommender(served)


@pytest.mark.milvus
@settings(max_examples=60, deadline=None)
@given(EXPRESSIONS)
def test_milvus_lets_through_what_is_true(shop: Recommender, engine: MilvusEngine, expression: Written) -> None:
    query = Query(k=len(ROWS), index="items-session-flat-unknown", filter=expression.text)
    answer = shop.recommend(shop.check(["i1"], query), engine)
    expected = {f"i{n}" for n, row in enumerate(ROWS) if expression.of(row) is True}
    assert {item["item_id"] for item in answer["items"]} == expected, expression.text
    assert answer["filter"]["matching"] == len(expected)


@pytest.mark.milvus
def test_an_index_of_an_earlier_version_has_its_own_value(shop: Recommender, engine: MilvusEngine) -> None:
    name = "items-session-flat-unknown"
    path = shop.workspace.stage(f"indexes/{name}") / MANIFEST
    manifest = read_json(path)
    assert manifest is not None
    without = {key: value for key, value in manifest["metrics"].items() if key != "unknown"}
    write_json(path, manifest | {"metrics": without})
    try:
        assert find_index(shop.workspace, name)["unknown"] == {"category": "", "price": -1.0}
        answer = shop.recommend(shop.check(["i1"], Query(k=5, index=name, filter="price <= 40 and price > -2")), engine)
        assert answer["filter"]["matching"] == sum(row["price"] not in (None, -1.0) for row in ROWS)
    finally:
        write_json(path, manifest)


def test_the_reference_is_three_valued() -> None:
    row = {"price": None, "category": "skirts", "popularity": 1}
    price, category = _compared("price", "<", 1, "1"), _compared("category", "==", "skirts", '"skirts"')
    assert price.of(row) is None
    assert _not("not ", price).of(row) is None
    assert _joined("or", [price, category], "or").of(row) is True
    assert _joined("and", [price, category], "and").of(row) is None
