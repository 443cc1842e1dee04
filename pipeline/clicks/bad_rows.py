"""Rows that cannot be read: one is refused in a sentence, or as many as the user allows are left out and listed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipeline.core.errors import UserError

_LISTED = 5  # in a sentence; the table has all
_LONGEST = 60  # characters of a value that are shown
SCHEMA = {"number": pl.Int64, "rows": pl.Int64, "why": pl.String}


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be read."""

    number: int
    """Its line in a text file, its row in a Parquet file, from 1."""
    why: str
    """What is wrong with it: '… has no item in column 'sku' (null)'."""
    way: str
    """How to mend it."""
    rows: int = 1
    """Lines that it takes up, since a quote that is not closed may swallow several."""


def shown(value: object) -> str:
    """Write a value that was found as a sentence shows it, cut where it is long."""
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(str(value)):,} characters)"


def leave_out(
    path: Path | str, place: str, bad: Sequence[BadRow], total: int, most: int | None
) -> tuple[pl.DataFrame, list[str]]:
    """Give a table (number, rows, why) of the rows that are left out and a sentence; raise UserError above `most`.

    `total` is the number of rows in the file, those that cannot be read among them; a `most` of None allows none, and
    says of no option.
    """
    bad = sorted(bad, key=lambda row: row.number)
    table = pl.DataFrame([(row.number, row.rows, row.why) for row in bad], SCHEMA, orient="row")
    count = int(table["rows"].sum())
    if not count:
        return table, []
    if most is None or count > most:
        # Where no row can be read, the rows are not at fault
        way = "" if most is None or count >= total else _way(place, bad, count, most)
        raise UserError(f"{path}: {place} {bad[0].number} {bad[0].why}: {bad[0].way}{way}.")
    named = [f"{place} {row.number} {row.why}" for row in bad[:_LISTED]]
    more = f"; and {len(bad) - _LISTED:,} more" if len(bad) > _LISTED else ""
    return table, [f"{_rows(count)} could not be read and {_were(count)} left out: {'; '.join(named)}{more}."]


def _way(place: str, bad: Sequence[BadRow], count: int, most: int) -> str:
    numbers = ", ".join(str(row.number) for row in bad[:_LISTED]) + (", …" if len(bad) > _LISTED else "")
    which = f" ({place}s {numbers})" if len(bad) > 1 else ""
    if most:
        return f", or raise --bad-rows {most}, as {_rows(count)} cannot be read{which}"
    return f", or leave {_rows(count)}{which} out with --bad-rows {count}"


def _rows(count: int) -> str:
    return f"{count:,} row{'s' if count > 1 else ''}"


def _were(count: int) -> str:
    return "were" if count > 1 else "was"
