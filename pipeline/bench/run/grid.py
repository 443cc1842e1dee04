"""Grids: an index type with the values that are tried of its parameters, read once; its builds and its searches."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from pipeline.core.errors import UserError
from pipeline.search.catalogue import index_type
from pipeline.search.params import IndexType, Param, Value, Values, read_value, validate_build, validate_search

Choices = Mapping[str, tuple[Value, ...]]
Params = tuple[tuple[str, Value], ...]  # that were validated, by name


@dataclass(frozen=True)
class IndexGrid:
    """A grid as it is written, and as a run keeps it."""

    index: str
    build: str = ""
    """'M=16,32,efConstruction=500': a value without a name is one more of the name before it."""
    search: str = ""


@dataclass(frozen=True)
class Grid:
    """A grid that was read: whether its values hold, and which fall together, is known once the vectors are."""

    written: IndexGrid
    index: IndexType = field(compare=False)
    build: Choices = field(compare=False)
    search: Choices = field(compare=False)

    def builds(self, dim: int, rows: int, notes: list[str]) -> list["Build"]:
        """List the indexes to build of `rows` x `dim` vectors; UserError for what cannot be built."""
        found = (build_of(self.index, values, dim, rows, notes) for values in _expanded(self.build))
        return list(dict.fromkeys(found))

    def searches(self, build: "Build", top_k: int, notes: list[str]) -> list[Params]:
        """List the ways in which a build is searched for `top_k`; UserError for what it cannot be."""
        found = (search_of(build, values, top_k, notes) for values in _expanded(self.search))
        return list(dict.fromkeys(found))


@dataclass(frozen=True)
class Build:
    """An index to build once for many searches, with parameters that hold for its vectors."""

    index: IndexType
    params: Params

    @property
    def values(self) -> dict[str, Value]:
        """Give the parameters by name."""
        return dict(self.params)


def read_grid(written: IndexGrid) -> Grid:
    """Read a grid; raise UserError for a type that there is not, or for what is no parameter."""
    index = index_type(written.index)
    return Grid(replace(written, index=index.name), index, parse_grid(written.build), parse_grid(written.search))


def parse_grid(text: str) -> dict[str, tuple[Value, ...]]:
    """Read 'ef=100,200,M=16' to {'ef': (100, 200), 'M': (16,)}; raise UserError where that is not what it says."""
    grid: dict[str, dict[Value, None]] = {}
    name = ""
    for part in filter(None, (p.strip() for p in text.split(","))):
        before, equals, value = (p.strip() for p in part.partition("="))
        name, value = (before, value) if equals else (name, before)
        if not name or not value:
            raise UserError(f"'{part}' is not a parameter: write NAME=VALUE, such as M=16, or ef=100,200 for both.")
        grid.setdefault(name, {})[read_value(value)] = None
    return {name: tuple(values) for name, values in grid.items()}


def build_of(index: IndexType, given: Values, dim: int, rows: int, notes: list[str]) -> Build:
    """Make a build of given parameters, moved to the limits that `rows` x `dim` vectors set, and the defaults."""
    moved = _fitted(index.name, index.build, given, {"rows": rows, "dim": dim}, notes)
    return Build(index, tuple(validate_build(index, moved, dim, rows).items()))


def search_of(build: Build, given: Values, top_k: int, notes: list[str]) -> Params:
    """Make search parameters of given ones, moved to the limits that a build and `top_k` set, and the defaults."""
    index = build.index
    moved = _fitted(index.name, index.search, given, {**build.values, "top_k": top_k}, notes)
    return tuple(validate_search(index, build.values, moved, top_k).items())


def _expanded(choices: Choices) -> Iterator[dict[str, Value]]:
    return (dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values()))


def _fitted(
    index: str, params: tuple[Param, ...], values: Values, context: Mapping[str, Value], notes: list[str]
) -> dict[str, Value]:
    """Move values to the limit that another value sets, and note it: there they behave alike, and are one point."""
    known = {p.name: p for p in params}
    found = dict(values)
    for name, value in values.items():
        param = known.get(name)
        if param is None or param.kind in ("bool", "choice") or isinstance(value, bool | str):
            continue
        low, high = param.limits({**context, **found})
        moved = min(max(value, low), high)
        if moved != value and param.low <= value <= param.high:
            limit, bound = ("at least", param.at_least) if moved > value else ("at most", param.at_most)
            found[name] = int(moved) if param.kind == "int" else moved
            notes.append(
                f"{index}: {name} {value} behaves as {name} {moved:g}, as it is {limit} {' and '.join(bound)}: "
                "one point in place of two."
            )
    return found
