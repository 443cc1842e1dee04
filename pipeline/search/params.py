"""What an entry of the index catalogue is made of, and the one way to read, fill in and check parameters."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from pipeline.core.errors import UserError
from pipeline.core.text import did_you_mean, size

MAX_TOP_K = 16_384  # Milvus refuses more
Value = int | float | bool | str
Values = Mapping[str, Value]
Context = Mapping[str, Value]  # rows, dim, top_k, and the build parameters while searching
Device = Literal["cpu", "gpu"]
_WHAT = {"rows": "the {:,} vectors", "nlist": "the index's nlist", "top_k": "top_k {:,}", "dim": "the {:,} dimensions"}


@dataclass(frozen=True)
class Param:
    """A parameter of an index type, with what it does to recall, speed and memory; bounds may name others."""

    name: str
    default: Value
    low: float
    high: float
    meaning: str
    effect: str
    kind: Literal["int", "float", "bool", "choice"] = "int"
    choices: tuple[str, ...] = ()
    at_least: tuple[str, ...] = ()  # of the context, e.g. ef >= top_k
    at_most: tuple[str, ...] = ()  # e.g. nprobe <= nlist
    divides: str = ""  # e.g. m divides dim
    auto: Callable[[Context], int] | None = None  # the default where it depends on the context
    optional: bool = False  # sent only where it is given

    def limits(self, context: Context) -> tuple[float, float]:
        """Give the lowest and the highest value that hold in `context`."""
        low = max([self.low, *(float(context[n]) for n in self.at_least if n in context)])
        high = min([self.high, *(float(context[n]) for n in self.at_most if n in context)])
        return low, high

    def fitting(self, context: Context) -> Value:
        """Give the default, moved into the limits that hold in `context`."""
        if self.kind in ("bool", "choice"):
            return self.default
        low, high = self.limits(context)
        wanted = min(max(float(self.auto(context) if self.auto else self.default), low), high)
        if self.divides and self.divides in context:
            whole = int(context[self.divides])
            wanted = max(d for d in range(1, max(1, int(wanted)) + 1) if whole % d == 0)
        return wanted if self.kind == "float" else int(wanted)


@dataclass(frozen=True, eq=False)  # there is one of each, which settings of a benchmark are hashed by
class IndexType:
    """An index type: when to use it, what can be chosen, where it works and what it takes."""

    name: str
    device: Device
    family: Literal["flat", "ivf", "graph", "auto"]
    summary: str
    when_to_use: str
    source: str
    row_bytes: Callable[[int, Values], float]  # (dim, build values) -> bytes of memory a vector
    build_s: Callable[[int, int, Values], float]  # (rows, dim, build values) -> seconds on 2 cores
    build: tuple[Param, ...] = ()
    search: tuple[Param, ...] = ()
    metrics: tuple[str, ...] = ("L2", "IP", "COSINE")
    since: tuple[int, int] = (2, 0)  # Milvus version
    not_embedded: str = ""  # why the embedded server cannot, where it should by its version
    most_top_k: int = MAX_TOP_K


def describe_index_type(index: IndexType) -> dict[str, Any]:
    """Give an entry as plain values, without its formulas."""
    return {
        f.name: [_plain(p) for p in value] if f.name in ("build", "search") else value
        for f in fields(index)
        if not callable(value := getattr(index, f.name))
    }


def _plain(thing: Param) -> dict[str, Any]:
    return {f.name: getattr(thing, f.name) for f in fields(thing) if f.name != "auto"}


def parse_params(text: str) -> dict[str, Value]:
    """Read 'M=16,efConstruction=200' to numbers, yes/no and words; raise UserError where that is not what it says."""
    values: dict[str, Value] = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, equals, value = (p.strip() for p in part.partition("="))
        if not name or not equals or not value:
            raise UserError(f"'{part}' is not a parameter: write NAME=VALUE, such as M=16.")
        values[name] = read_value(value)
    return values


def read_value(text: str) -> Value:
    """Read one value: a number, true or false, or a word."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        return float(text) if "." in text else int(text)
    except ValueError:
        return text


def format_params(values: Mapping[str, Value]) -> str:
    """Write parameters as `parse_params` reads them."""
    return ",".join(f"{name}={str(v).lower() if isinstance(v, bool) else v}" for name, v in values.items())


def check_build(index: IndexType, given: Values) -> None:
    """Check build parameters as far as that goes before the vectors are known."""
    _filled(index, index.build, given, {})


def validate_build(index: IndexType, given: Values, dim: int, rows: int) -> dict[str, Value]:
    """Fill in the defaults of the build parameters and check them; `rows` x `dim` are the vectors."""
    return _filled(index, index.build, given, {"rows": rows, "dim": dim})


def validate_search(index: IndexType, build: Values, given: Values, top_k: int) -> dict[str, Value]:
    """Fill in the search parameters so that they hold for `top_k`, and check those that are given."""
    if top_k > index.most_top_k:
        raise UserError(f"top_k {top_k:,} is over what {index.name} answers: choose at most {index.most_top_k:,}.")
    return _filled(index, index.search, given, {**build, "top_k": top_k})


def raised(index: IndexType, search: Values, top_k: int) -> dict[str, Value]:
    """Raise search parameters to the least that holds for `top_k`: an ef below it searches as ef = top_k does."""
    least = {p.name: int(p.limits({"top_k": top_k})[0]) for p in index.search if "top_k" in p.at_least}
    return {name: max(value, least.get(name, value)) for name, value in search.items()}  # type: ignore[type-var]


def _filled(index: IndexType, params: tuple[Param, ...], given: Values, context: Context) -> dict[str, Value]:
    known = {p.name: p for p in params}
    for name in given:
        if name not in known:
            takes = ", ".join(known) or "none"
            raise UserError(
                f"{index.name} has no parameter '{name}' here: it takes {takes}.{did_you_mean(name, known)}"
            )
    values: dict[str, Value] = {}
    for param in params:
        if param.name in given:
            values[param.name] = _checked(param, given[param.name], {**context, **values})
        elif not param.optional:
            values[param.name] = param.fitting({**context, **values})
    return values


def _checked(param: Param, value: Value, context: Context) -> Value:
    if param.kind == "choice" and value not in param.choices:
        raise UserError(f"{param.name} '{value}' is none of {', '.join(param.choices)}: choose one of them.")
    if param.kind == "bool" and not isinstance(value, bool):
        raise UserError(f"{param.name} '{value}' is neither true nor false: choose one of the two.")
    if param.kind in ("bool", "choice"):
        return value
    if isinstance(value, bool | str) or (param.kind == "int" and not float(value).is_integer()):
        wanted = "a whole number" if param.kind == "int" else "a number"
        raise UserError(f"{param.name} '{value}' is not {wanted}: choose {param.low:g} to {param.high:,.0f}.")
    if not param.low <= value <= param.high:
        raise UserError(f"{param.name} {value} is out of range: choose {param.low:g} to {param.high:,.0f}.")
    for name in param.at_most:
        if name in context and value > float(context[name]):
            what = _WHAT.get(name, f"{name} {context[name]}").format(context[name])
            raise UserError(f"{param.name} {value} is over {what}: choose at most {int(context[name]):,}.")
    for name in param.at_least:
        if name in context and value < float(context[name]):
            what = _WHAT.get(name, f"{name} {context[name]}").format(context[name])
            raise UserError(
                f"{param.name} {value} is below {what}: raise {param.name} to {int(context[name]):,} or more."
            )
    whole = int(context.get(param.divides, 0)) if param.divides else 0
    if whole and whole % int(value):
        fitting = ", ".join(str(d) for d in range(1, whole + 1) if whole % d == 0)
        raise UserError(f"{param.name} {value} does not divide {param.divides} {whole}: choose one of {fitting}.")
    return value


@dataclass(frozen=True)
class Estimate:
    """What an index would take, before it is built."""

    memory_bytes: float
    build_s: float

    def __str__(self) -> str:
        """Say it as a person reads it."""
        seconds = f"{self.build_s:.0f} s" if self.build_s < 120 else f"{self.build_s / 60:.0f} min"
        return f"about {size(self.memory_bytes)} of memory and {seconds if self.build_s >= 1 else 'a second'} to build"


def estimate(index: IndexType, values: Values, dim: int, rows: int) -> Estimate:
    """Estimate memory and build time from the entry's formulas."""
    return Estimate(rows * index.row_bytes(dim, values), index.build_s(rows, dim, values))
