"""Numbers and times as a person reads them: three significant digits, thousands separated, a unit that fits."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.core.columns import UNKNOWN_CATEGORY


def per_request(queries: int) -> str:
    """Write how many queries a request carries: '1 query per request' or '1,000 queries per request'."""
    return f"{queries:,} {'query' if queries == 1 else 'queries'} per request"


def duration(seconds: float) -> str:
    """Write seconds as '3.2 ms', '4.1 s', '2 min 5 s' or '1 h 3 min'."""
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def age(seconds: float) -> str:
    """Write an age in its largest unit: 'just now', '12 min ago', '3 h ago', '5 days ago'."""
    for unit, length in (("day", 86_400), ("h", 3600), ("min", 60)):
        count = int(seconds // length)
        if count:
            return f"{count} {unit}{'s' if unit == 'day' and count > 1 else ''} ago"
    return "just now"


def category(value: Any) -> str:
    """Name an item's category, '' where it has none."""
    return "" if value in (None, "", UNKNOWN_CATEGORY) else str(value)


def size(count: float) -> str:
    """Write bytes as '812 B', '1.2 MB', …, in powers of 1000."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.5:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


def number(value: float) -> str:
    """Write a count or a measure with three significant digits and thousands separated."""
    if float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def percent(share: float, digits: int = 0) -> str:
    """Write a share as '95 %', with as many decimals as are asked for."""
    return f"{100 * share:.{digits}f} %"


def usd(value: float) -> str:
    """Write dollars with the digits that matter: $1,234, $24.30, $0.00123."""
    if value >= 1000:
        return f"${value:,.0f}"
    return f"${value:.2f}" if value >= 0.1 or value == 0 else f"${value:.3g}"


def named(values: Mapping[str, object]) -> str:
    """Write settings as people do: 'M 16, efConstruction 200'."""
    return ", ".join(f"{name} {value}" for name, value in values.items())


def did_you_mean(value: str, known: Iterable[str], most: int = 3) -> str:
    """Give ' Did you mean …?' with the closest of `known`, or '' where nothing is close."""
    close = difflib.get_close_matches(value, list(known), n=most, cutoff=0.5)
    return f" Did you mean {' or '.join(close)}?" if close else ""


def clipped(text: str, most: int) -> str:
    """Write the first `most` characters, with '…' where there are more."""
    return text if len(text) <= most else f"{text[:most]}…"
