"""A table as its file has it, and where each row stands in the file."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from pipeline.clicks.bad_rows import BadRow
from pipeline.core.errors import UserError


@dataclass(frozen=True)
class Table:
    """A file's rows; `numbers` turns positions in `frame` into the numbers that an editor shows."""

    path: Path
    frame: pl.DataFrame
    place: str
    """What a row's number counts: 'line' of a text file, 'row' of a Parquet file."""
    numbers: Callable[[Sequence[int]], list[int]]
    broken: list[BadRow] = field(default_factory=list)
    """Rows whose form cannot be read, which are not in `frame`."""


def unique_names(names: Sequence[str]) -> list[str]:
    """Tell names apart that stand more than once, by what is put behind the later ones."""
    seen: dict[str, int] = {}
    result = []
    for name in names:
        count = seen[name] = seen.get(name, -1) + 1
        result.append(f"{name}_duplicated_{count - 1}" if count else name)
    return result


def refuse_twice(path: Path, names: Sequence[str], name: str) -> None:
    """Raise UserError where a column that is needed stands more than once."""
    at = [str(i) for i, other in enumerate(names, 1) if other == name]
    if len(at) > 1:
        raise UserError(
            f"{path} has {len(at)} columns of the name '{name}' (the {_ordinals(at)}): rename or remove all but one."
        )


def _ordinals(at: list[str]) -> str:
    ends = {"1": "st", "2": "nd", "3": "rd"}
    words = [f"{n}{'th' if n[-2:-1] == '1' else ends.get(n[-1], 'th')}" for n in at]
    return f"{', '.join(words[:-1])} and {words[-1]}"
