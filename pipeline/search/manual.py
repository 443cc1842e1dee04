"""docs/indexes.md, written from the catalogue: what every index type is for, takes and lets one choose."""

from collections.abc import Iterable

from pipeline.core.text import size
from pipeline.search.catalogue import CATALOGUE, MIN_INDEXED_ROWS
from pipeline.search.compatibility import EMBEDDED, why_not
from pipeline.search.params import MAX_TOP_K, Context, IndexType, Param, estimate, validate_build

_ROWS, _DIM = 1_000_000, 64  # what memory and defaults are told for
_RULES = {"rows": "the number of vectors", "dim": "the dimensions", "top_k": "top_k"}


def manual() -> str:
    """Write the whole document as Markdown."""
    parts = [_introduction(), _table(CATALOGUE.values()), *(_section(entry) for entry in CATALOGUE.values())]
    return "\n\n".join(parts) + "\n"


def _introduction() -> str:
    return f"""# Index types

Generated from the catalogue by `python -m pipeline index types --markdown`: change
`pipeline/search/catalogue.py`, not this file.

Memory is estimated for {_ROWS:,} vectors of {_DIM} dimensions with the default parameters. Since: the first
Milvus version that has the type; the embedded server is {EMBEDDED.version}. Milvus builds no index on a segment
under about {MIN_INDEXED_ROWS:,} rows and compares with every vector there, whatever its type."""


def _table(entries: Iterable[IndexType]) -> str:
    head = ["Type", "Device", "Since", "Embedded", "Metrics", "Memory", "When to use"]
    rows = [
        [
            f"[{entry.name}](#{entry.name.lower()})",
            entry.device.upper(),
            f"{entry.since[0]}.{entry.since[1]}",
            "no" if why_not(entry, EMBEDDED) else "yes",
            ", ".join(entry.metrics),
            size(estimate(entry, _defaults(entry), _DIM, _ROWS).memory_bytes),
            entry.when_to_use,
        ]
        for entry in entries
    ]
    return "\n".join(map(_row, [head, ["---"] * 5 + ["---:", "---"], *rows]))


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _defaults(entry: IndexType) -> Context:
    return validate_build(entry, {}, _DIM, _ROWS)


def _section(entry: IndexType) -> str:
    lines = [f"## {entry.name}", "", f"{entry.summary} {entry.when_to_use}", ""]
    if entry.build or entry.search:
        lines += [_row(["Parameter", "Range", "Default", "Rules", "Meaning"]), _row(["---"] * 5)]
        context: Context = {"rows": _ROWS, "dim": _DIM}
        lines += [_row([f"`{p.name}`, build", *_described(p, context)]) for p in entry.build]
        lines += [_row([f"`{p.name}`, search", *_described(p, _defaults(entry))]) for p in entry.search]
    else:
        lines.append("It has no parameters.")
    if entry.most_top_k < MAX_TOP_K:
        lines += ["", f"It returns at most {entry.most_top_k:,} neighbours."]
    if entry.not_embedded:
        lines += ["", f"Not on the embedded server: {entry.not_embedded}."]
    return "\n".join([*lines, "", f"Source: <{entry.source}>"])


def _described(param: Param, context: Context) -> list[str]:
    """Give range, default, rules and meaning."""
    return [_range(param), _default(param, context), _rules(param), f"{param.meaning} {param.effect}"]


def _range(param: Param) -> str:
    if param.kind == "choice":
        return ", ".join(param.choices)
    return "true, false" if param.kind == "bool" else f"{param.low:,g} to {param.high:,.0f}"


def _default(param: Param, context: Context) -> str:
    if param.optional:
        return "the server's"
    default = str(param.default).lower() if param.kind == "bool" else f"{param.default}"
    return f"{int(param.fitting(context)):,}, from the vectors" if param.auto else default


def _rules(param: Param) -> str:
    rules = [f"at least {_RULES.get(name, f'`{name}`')}" for name in param.at_least]
    rules += [f"at most {_RULES.get(name, f'`{name}`')}" for name in param.at_most]
    rules += [f"divides {_RULES.get(param.divides, f'`{param.divides}`')}"] if param.divides else []
    return ", ".join(rules) or "–"
