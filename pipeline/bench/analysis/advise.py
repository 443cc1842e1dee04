"""The adviser: from what is wanted to the cheapest measured setting, its alternatives, and why, in sentences."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import polars as pl

from pipeline.bench.analysis.settings import fresh, label, rival, spread
from pipeline.bench.published import NAME as PUBLISHED
from pipeline.core.errors import UserError
from pipeline.core.spread import MAYBE_CHANCE, differ, told_apart
from pipeline.core.text import number, percent, usd

Row = dict[str, Any]
_CLEARLY = 0.8  # a figure that is to be called better is at most so much of the other
_ROUNDED = 1e-9  # of differences of recalls


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
    cost is known of any, the most QPS. What is out of date is left out.
    """
    old = settings.height - fresh(settings).height
    found = _advise(fresh(settings), wish)
    if not old:
        return found
    told = (
        f"{old:,} of {settings.height:,} settings are left out: their vectors have been replaced since; measure again."
    )
    return replace(found, why=[*found.why, told] if found.considered else [told])


def _advise(settings: pl.DataFrame, wish: Wish) -> Advice:
    money = _money(wish)
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


UNPRICED = "because its memory, its cores or a GPU's price is unknown"
_NAMES = {"recall": "recall", "p99_ms": "p99", "memory_mb": "memory", "usd_month": "cost"}


def _limit(name: str, value: float) -> str:
    return f"{_NAMES[name]} {'≥' if name == 'recall' else '≤'} {_figure(name, value)}"


def _figure(name: str, value: float) -> str:
    if name == "recall":
        return f"{value:.4g}"
    if name.startswith("usd"):
        return usd(value)
    return f"{number(value)} {name.rsplit('_', maxsplit=1)[-1].replace('mb', 'MB')}"


def _why(rows: list[Row], wish: Wish) -> Iterator[str]:
    best = rows[0]
    limits = " and ".join(_limit(name, getattr(wish, name)) for name in _limits(wish)) or "figures"
    measured = f"{best['qps']:,.0f} QPS, recall {best['recall']:.3f}"
    measured += f", p99 {number(best['p99_ms'])} ms" if best["p99_ms"] is not None else ""
    priced = best["usd_instance"] is not None
    known = [row for row in rows if row["usd_instance"] is not None] if priced else rows
    yield _first(known, wish, f"with {limits}: {measured}")
    yield _price(best, wish) if priced else f"No cost is known for it, {UNPRICED}, so the most QPS came first."
    if unpriced := len(rows) - len(known):
        left = "1 more setting has" if unpriced == 1 else f"{unpriced:,} more settings have"
        yield f"{left} that too, but cannot compete: no cost is known there, {UNPRICED}."
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
        yield "It was measured once: three repeats would show how much the figure varies."


def _first(rows: list[Row], wish: Wish, found: str) -> str:
    """Say that the first row wins, or what may be as good: which of them it is may be chance."""
    best = rows[0]
    if len(rows) == 1:
        return f"{label(best)} is the only measured setting {found}."
    money = _money(wish)
    priced = best[money] is not None
    column, rank, shown = (money, "cheapest", usd) if priced else ("qps", "fastest", number)
    known = [row for row in rows if row[column] is not None]
    other = rival(known, column, shown)
    if other is None:
        return f"{label(best)} is the {rank} of {len(rows):,} measured settings {found}."
    told = f"{label(best)} came first of {len(rows):,} measured settings {found}"
    unit = {"usd_month": " a month", "usd_million": " a million queries"}.get(column, " QPS")
    mine, its = shown(best[column]), shown(other[column])
    if mine == its:
        return f"{told}; {label(other)} is level with it at {its}{unit}."
    return f"{told}; {label(other)} follows with {its} against {mine}{unit}, and that {MAYBE_CHANCE}."


def _money(wish: Wish) -> str:
    return "usd_month" if wish.qps else "usd_million"


def _price(best: Row, wish: Wish) -> str:
    what = _instance(best)
    if not wish.qps:
        return (
            f"A million queries cost {usd(best['usd_million'])} on an instance that is always busy; "
            f"it costs {usd(best['usd_instance'])} a month, with {what}."
        )
    many = best["replicas"]
    each = "one instance" if many == 1 else f"{many:,} instances of {usd(best['usd_instance'])} each"
    used = wish.qps / (many * best["qps"])
    return f"{wish.qps:,.0f} QPS take {each}, {percent(used)} busy, with {what}: {usd(best['usd_month'])} a month." + (
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
    as_cheap = [
        row for row in rows[1:] if best[money] is not None and row[money] is not None and _alike(row, best, money)
    ]
    finer = max((row for row in as_cheap if _finds_more(row, best)), key=lambda row: float(row["recall"]), default=None)
    yield finer, f"Finds more, recall {_recall(finer['recall'])}" if finer else ""
    more = next((row for row in others if _misses_half(row, best)), None)
    yield more, f"Misses half as many neighbours or fewer, recall {_recall(more['recall'])}" if more else ""
    other = next((row for row in rows if row["index"] != best["index"]), None)
    yield other, f"Another index type, recall {_recall(other['recall'])}" if other else ""
    for name, title in (("memory_mb", "memory"), ("p99_ms", "p99")):
        known = [row for row in rows if row[name] is not None]
        least = min(known, key=lambda row: float(row[name]), default=None)
        if least is None or best[name] is None or least[name] >= _CLEARLY * best[name]:
            continue
        if told_apart(spread(least, name), [spread(best, name)], number):
            yield least, f"Less {title}, {_figure(name, least[name])} in place of {_figure(name, best[name])}"


def _finds_more(row: Row, best: Row) -> bool:
    """Tell whether a setting finds more by more than the sampled queries may be off."""
    return bool(row["recall"] > best["recall"]) and told_apart(spread(row, "recall"), [spread(best, "recall")], _recall)


def _misses_half(row: Row, best: Row) -> bool:
    """Tell whether a setting misses at most half of what the best one does, whatever the queries that were sampled."""
    half = (1 - spread(best, "recall").high) / 2
    return _finds_more(row, best) and 1 - spread(row, "recall").low <= half + _ROUNDED


def _recall(value: float) -> str:
    return f"{value:.3f}"


def _alike(row: Row, best: Row, column: str) -> bool:
    """Tell whether it is known of both figures how far they vary, and they may be the same."""
    one, other = spread(row, column), spread(best, column)
    return one.known and other.known and not differ(one, other)


def _against(row: Row, best: Row, money: str) -> str:
    """Compare what two settings cost, or how many queries they answer where that is not known."""
    priced = row[money] is not None and best[money] is not None
    column = money if priced else "qps"
    if _alike(row, best, column):
        return "costs the same within the spread" if priced else "answers as many QPS within the spread"
    ratio = row[column] / best[column]
    if not priced:
        told = f"answers {ratio:.2g} times as many QPS"
    elif ratio < 1.01:
        told = "costs less than 1 % more"
    else:
        told = f"costs {percent(ratio - 1)} more" if ratio < 2 else f"costs {ratio:.2g} times as much"
    apart = told_apart(spread(row, column), [spread(best, column)])
    return told if apart else f"{told}, which {MAYBE_CHANCE}"
