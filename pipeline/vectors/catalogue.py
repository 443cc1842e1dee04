"""The index catalogue as data: forms, validation, help and docs come from it, and a new index type is one entry."""

import math
from dataclasses import dataclass
from typing import Literal

from pipeline.errors import UserError
from pipeline.text import did_you_mean

MIN_INDEXED_ROWS = 1024  # Milvus 2.3 builds no index on a smaller segment and compares with every row
MAX_TOP_K = 16_384  # Milvus refuses more
Values = dict[str, int]


@dataclass(frozen=True)
class Param:
    """A parameter of an index type, with what it does to recall, speed and memory."""

    name: str
    default: int
    low: int
    high: int
    meaning: str
    effect: str


@dataclass(frozen=True)
class IndexType:
    """An index type: when to use it and what can be chosen."""

    name: str
    device: Literal["cpu", "gpu"]
    family: Literal["flat", "ivf", "graph"]
    summary: str
    when_to_use: str
    source: str
    build: tuple[Param, ...] = ()
    search: tuple[Param, ...] = ()


_MANUAL = "https://milvus.io/docs/v2.3.x/index.md"

CATALOGUE: dict[str, IndexType] = {
    entry.name: entry
    for entry in (
        IndexType(
            "FLAT",
            "cpu",
            "flat",
            "Compares the query with every vector: exact, and slow when there are many.",
            "When answers must be exact, or there are fewer than some 50,000 vectors.",
            _MANUAL,
        ),
        IndexType(
            "IVF_FLAT",
            "cpu",
            "ivf",
            "Groups the vectors into nlist clusters and searches the nprobe nearest ones.",
            "When memory is tight or the index must be built quickly, and recall near .98 will do.",
            _MANUAL,
            build=(
                Param("nlist", 128, 1, 65_536, "Number of clusters.", "More: faster search, lower recall per cluster."),
            ),
            search=(
                Param("nprobe", 16, 1, 65_536, "Clusters searched, at most nlist.", "More: higher recall, fewer QPS."),
            ),
        ),
        IndexType(
            "HNSW",
            "cpu",
            "graph",
            "Walks a graph of near neighbours from coarse to fine.",
            "When both high recall and many QPS are wanted and there is memory for the graph.",
            _MANUAL,
            build=(
                Param("M", 16, 2, 2_048, "Links of each vector.", "More: higher recall, more memory, slower build."),
                Param("efConstruction", 200, 8, 32_768, "Candidates while building.", "More: better graph, slower."),
            ),
            search=(
                Param("ef", 100, 1, 32_768, "Candidates kept, at least top_k.", "More: higher recall, fewer QPS."),
            ),
        ),
    )
}


def index_type(name: str) -> IndexType:
    """Find an index type by its name, or raise UserError."""
    found = CATALOGUE.get(name.upper())
    if found is None:
        close = did_you_mean(name.upper(), CATALOGUE)
        raise UserError(f"There is no index type '{name}': choose {', '.join(CATALOGUE)}.{close}")
    return found


def parse_params(text: str) -> Values:
    """Read 'M=16,efConstruction=200'; raise UserError where that is not what it says."""
    values = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, equals, value = (p.strip() for p in part.partition("="))
        if not equals or not value.lstrip("-").isdigit():
            raise UserError(f"'{part}' is not a parameter: write NAME=WHOLE NUMBER, such as M=16.")
        values[name] = int(value)
    return values


def validate_build(index: IndexType, given: Values, dim: int, rows: int) -> Values:
    """Fill in the defaults of the build parameters and check them; `rows` x `dim` are the vectors."""
    values = _filled(index, index.build, given)
    if "nlist" in values:
        values["nlist"] = given.get("nlist", max(1, min(round(4 * math.sqrt(rows)), 65_536, rows)))
        if values["nlist"] > rows:
            raise UserError(f"nlist {values['nlist']} is over the {rows:,} vectors: choose at most {rows:,}.")
    return values


def validate_search(index: IndexType, build: Values, given: Values, top_k: int) -> Values:
    """Fill in the search parameters so that they hold for `top_k`, and check those that are given."""
    if top_k > MAX_TOP_K:
        raise UserError(f"top_k {top_k:,} is over what Milvus answers: choose at most {MAX_TOP_K:,}.")
    values = _filled(index, index.search, given)
    if "ef" in values:
        values["ef"] = given.get("ef", max(values["ef"], top_k))
        if values["ef"] < top_k:
            raise UserError(
                f"ef {values['ef']} is below top_k {top_k}: HNSW keeps at least top_k candidates; raise ef."
            )
    if "nprobe" in values and "nlist" in build:
        values["nprobe"] = given.get("nprobe", min(values["nprobe"], build["nlist"]))
        if values["nprobe"] > build["nlist"]:
            raise UserError(f"nprobe {values['nprobe']} is over the index's nlist: choose at most {build['nlist']}.")
    return values


def _filled(index: IndexType, params: tuple[Param, ...], given: Values) -> Values:
    known = {p.name: p for p in params}
    for name, value in given.items():
        if name not in known:
            takes = ", ".join(known) or "none"
            raise UserError(
                f"{index.name} has no parameter '{name}' here: it takes {takes}.{did_you_mean(name, known)}"
            )
        if not known[name].low <= value <= known[name].high:
            raise UserError(f"{name} {value} is out of range: choose {known[name].low} to {known[name].high:,}.")
    return {p.name: given.get(p.name, p.default) for p in params}
