"""The adviser: from what is wanted to the cheapest measured setting, its alternatives, and why, in sentences."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from pipeline.bench.settings import differ, label
from pipeline.errors import UserError
from pipeline.published import NAME as PUBLISHED
from pipeline.text import number

Row = dict[str, Any]
_CLEARLY = 0.8  # a figure that is to be called better is at most so much of the other


@dataclass(frozen=True)
class Wish:
    """What a setting has to reach; None where it does not matter."""

    recall: float | None = None
    """At least, 0 to 1."""
    p99_ms: float | None = None
    """Of a request, at most."""
    memory_mb: float | None = None
    """Of one instance, at most."""
    usd_month: float | None = None
    """Of all instances, at most."""
    qps: float | None = None
    """Queries a second that all instances answer together."""

    def __post_init__(self) -> None:
        if self.recall is not None and not 0 <= self.recall <= 1:
            raise UserError(f"A recall of {self.recall:g} is out of range: choose 0 to 1, such as 0.95.")
        for name, value in asdict(self).items():
            if value is not None and not value > 0 and name != "recall":
                raise UserError(f"{name} {value:g} is out of range: choose more than 0.")


@dataclass(frozen=True)
class Advice:
    """The cheapest setting that has what is wanted, None where none has; the rows are settings with their cost."""

    best: Row | None
    why: list[str]
    alternatives: list[tuple[Row, str]]
    considered: int


def advise(settings: pl.DataFrame, wish: Wish) -> Advice:
    """Choose the cheapest of the settings (as `with_cost` gives them) that has all that is wanted.

    Cheapest is a month of the instances that `wish.qps` needs, or a million queries where no load is given; where no
    cost is known, the most QPS.
    """
    money = "usd_month" if wish.qps else "usd_million"
    ordered = settings.sort([money, "qps"], descending=[False, True], nulls_last=True)
    fitting = _within(ordered, wish)
    if fitting.is_empty():
        return Advice(None, list(_nothing(ordered, wish)), [], settings.height)
    rows = list(fitting.iter_rows(named=True))
    others = list(_within(ordered, wish, but="recall").iter_rows(named=True))
    return Advice(rows[0], list(_why(rows, wish)), list(_alternatives(rows, others, money)), settings.height)


def _within(settings: pl.DataFrame, wish: Wish, but: str = "") -> pl.DataFrame:
    """Keep what is within the limits, the one called `but` left out; a figure that is not known is within none."""
    for name in _limits(wish):
        if name != but:
            value, column = getattr(wish, name), pl.col(name)
            settings = settings.filter(column >= value if name == "recall" else column <= value)
    return settings


def _limits(wish: Wish) -> list[str]:
    return [name for name, value in asdict(wish).items() if value is not None and name != "qps"]


def _nothing(settings: pl.DataFrame, wish: Wish) -> Iterator[str]:
    """Say how far each limit is missed while the others hold."""
    wanted = " and ".join(_limit(name, getattr(wish, name)) for name in _limits(wish))
    yield f"None of the {settings.height:,} measured settings has {wanted or 'any figures'}."
    for name in _limits(wish):
        held = " and ".join(_limit(n, getattr(wish, n)) for n in _limits(wish) if n != name)
        known = _within(settings, wish, but=name).drop_nulls(name)
        if known.is_empty():
            yield f"No {_NAMES[name]} is known of any{f' with {held}' if held else ''}."
            continue
        row = known.sort(name, descending=name == "recall").row(0, named=True)
        most = "The most recall" if name == "recall" else f"The least {_NAMES[name]}"
        yield f"{most}{f' with {held}' if held else ''} is {_figure(name, row[name])}: {label(row)}."


_NAMES = {"recall": "recall", "p99_ms": "p99", "memory_mb": "memory", "usd_month": "cost"}


def _limit(name: str, value: float) -> str:
    return f"{_NAMES[name]} {'≥' if name == 'recall' else '≤'} {_figure(name, value)}"


def _figure(name: str, value: float) -> str:
    if name == "recall":
        return f"{value:.4g}"
    if name.startswith("usd"):
        return usd(value)
    return f"{number(value)} {name.rsplit('_', maxsplit=1)[-1].replace('mb', 'MB')}"


def usd(value: float) -> str:
    """Write dollars with the digits that matter: $1,234, $24.30, $0.00123."""
    if value >= 1000:
        return f"${value:,.0f}"
    return f"${value:.2f}" if value >= 0.1 else f"${value:.3g}"


def _why(rows: list[Row], wish: Wish) -> Iterator[str]:
    best = rows[0]
    limits = " and ".join(_limit(name, getattr(wish, name)) for name in _limits(wish)) or "figures"
    measured = f"{best['qps']:,.0f} QPS, recall {best['recall']:.3f}"
    measured += f", p99 {number(best['p99_ms'])} ms" if best["p99_ms"] is not None else ""
    priced = best["usd_instance"] is not None
    rank = "cheapest" if priced else "fastest"
    among = f"the {rank} of {len(rows):,} measured settings" if len(rows) > 1 else "the only measured setting"
    yield f"{label(best)} is {among} with {limits}: {measured}."
    yield _price(best, wish) if priced else "No cost is known for it, so the most QPS came first."
    if wish.recall is not None and best["recall_low"] < wish.recall:
        yield (
            f"Its recall was sampled and lies between {best['recall_low']:.3f} and {best['recall_high']:.3f}: "
            "measure with more queries to be sure of the target."
        )
    if best["client_bound"]:
        yield "The client was the limit there, so the server can do more: measure it with more client processes."
    if best["run"] == PUBLISHED:
        yield f"It was published and not measured here: {best['server']}."
    elif best["repeats"] == 1:
        yield "It was measured once: three repeats would tell how far the figure varies."


def _price(best: Row, wish: Wish) -> str:
    what = _instance(best)
    if not wish.qps:
        return (
            f"A million queries cost {usd(best['usd_million'])} on an instance that is busy all the time, "
            f"a month of it {usd(best['usd_instance'])}, with {what}."
        )
    many = best["replicas"]
    each = "one instance" if many == 1 else f"{many:,} instances of {usd(best['usd_instance'])} each"
    used = wish.qps / (many * best["qps"])
    return f"{wish.qps:,.0f} QPS take {each}, {used:.0%} busy, with {what}: {usd(best['usd_month'])} a month." + (
        " Leave some room above that." if used > _CLEARLY else ""
    )


def _instance(row: Row) -> str:
    if row["device"] == "gpu":
        return "one GPU"
    return f"{number(row['memory_mb'])} MB of memory" if row["memory_mb"] is not None else "memory that is not known"


def _alternatives(rows: list[Row], others: list[Row], money: str) -> Iterator[tuple[Row, str]]:
    """Offer settings that are better in something; `others` may miss the wanted recall."""
    best, told = rows[0], {label(rows[0])}
    for row, gain in _candidates(rows, others, money):
        if row is not None and label(row) not in told:
            told.add(label(row))
            yield row, f"{gain}; {_against(row, best, money)}."


def _candidates(rows: list[Row], others: list[Row], money: str) -> Iterator[tuple[Row | None, str]]:
    best = rows[0]
    same = [
        row for row in rows[1:] if best[money] is not None and row[money] is not None and not _differ(row, best, money)
    ]
    finer = max(same, key=lambda row: float(row["recall"]), default=None)
    if finer is not None and finer["recall"] > best["recall"]:
        yield finer, f"Finds more, recall {finer['recall']:.3f}"
    halved = 1 - (1 - best["recall"]) / 2
    more = next((row for row in others if row["recall"] >= halved and best["recall"] < 1), None)
    yield more, f"Misses half as many neighbours or fewer, recall {more['recall']:.3f}" if more else ""
    other = next((row for row in rows if row["index"] != best["index"]), None)
    yield other, f"The best of another type, recall {other['recall']:.3f}" if other else ""
    for name, title in (("memory_mb", "memory"), ("p99_ms", "p99")):
        known = [row for row in rows if row[name] is not None]
        least = min(known, key=lambda row: float(row[name]), default=None)
        if least is not None and best[name] is not None and least[name] < _CLEARLY * best[name]:
            yield least, f"Least {title}, {_figure(name, least[name])} in place of {_figure(name, best[name])}"


def _differ(row: Row, best: Row, money: str) -> bool:
    ends = [(float(r[f"{money}_low"]), float(r[f"{money}_high"])) for r in (row, best)]
    return differ(ends[0], ends[1])


def _against(row: Row, best: Row, money: str) -> str:
    """Compare what two settings cost, or how many queries they answer where that is not known."""
    if row[money] is None or best[money] is None:
        return f"{row['qps'] / best['qps']:.2g} times its QPS"
    if not _differ(row, best, money):
        return "no dearer that could be told within the spread"
    ratio = row[money] / best[money]
    if ratio < 1.01:
        return "less than 1% dearer"
    return f"{ratio - 1:.0%} dearer" if ratio < 2 else f"{ratio:.2g} times the cost"
