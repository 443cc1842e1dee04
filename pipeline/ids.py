"""Ids as a person names several of them: separated by commas, or, where an id holds a comma itself, one at a time."""

from collections.abc import Container, Sequence


def parts(value: str) -> list[str]:
    """Split a value at its commas; what is empty is left out."""
    return [part for part in (p.strip() for p in value.split(",")) if part]


def candidates(values: Sequence[str]) -> list[str]:
    """List every id that the values may name: each as it is, and its parts."""
    return list(dict.fromkeys(i for value in values for i in (value, *parts(value)) if i.strip()))


def named(values: Sequence[str], known: Container[str]) -> list[str]:
    """List the ids that the values name: a value that is known is one id, also where its parts are; else its parts."""
    return [i for value in values for i in ([value] if value in known else parts(value))]


def joined(ids: Sequence[str]) -> str:
    """Write ids into one text that `parted` reads, for a link."""
    return ",".join(i.replace("%", "%25").replace(",", "%2C") for i in ids)


def parted(text: str) -> list[str]:
    """Read what `joined` wrote."""
    return [i.replace("%2C", ",").replace("%25", "%") for i in text.split(",") if i]
