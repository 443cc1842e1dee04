"""Which column is what: by the names of a header, by positions where there is none, or by what is obvious."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from pipeline.clicks.table import refuse_twice
from pipeline.clicks.values.ids import without_nulls
from pipeline.clicks.values.times import read_times
from pipeline.core.columns import CATEGORY, ITEM_ID, SESSION_ID, TIMESTAMP
from pipeline.core.errors import UserError
from pipeline.core.text import did_you_mean

DATE = "date"  # of times that are written in two columns
USER = "user"  # in place of a session: whoever clicked, whose clicks are to be cut into sessions
SHORT = {"session": SESSION_ID, "time": TIMESTAMP, "item": ITEM_ID, "category": CATEGORY, "date": DATE}
OBVIOUS = {
    SESSION_ID: ("session_id", "sessionid", "session", "session id", "user_session"),
    TIMESTAMP: ("timestamp", "time", "datetime", "event_time", "date"),
    ITEM_ID: ("item_id", "itemid", "item", "product_id"),
    CATEGORY: ("category", "item_category", "category_id"),
}
_USERS = ("user_id", "userid", "user", "visitor_id", "visitorid", "customer_id", "client_id")
_TWO_COLUMNS = (("timeframe", "eventdate"), ("time", "date"), ("event_time", "event_date"))
_NEEDED = ("session", "time", "item")
SAY_COLUMNS = "say it with --columns session=…,time=…,item=…"
_SAY = "session=… or user=…, time=…, item=…, category=… or date=…"


@dataclass(frozen=True)
class ClickColumns:
    """Where each of a click's columns stands in a file, by position from 0, and as the file calls it."""

    at: dict[str, int]
    names: dict[str, str]
    header: bool
    users: bool = False
    """Whether the column of sessions has users, whose clicks are to be cut into sessions."""
    notes: list[str] = field(default_factory=list)


def is_time(text: str, form: str | None = None) -> bool:
    """Tell whether a field of a first row is a time, and so the row no header; `form` is that of `read_times`."""
    try:
        return not read_times(pl.Series([text], dtype=pl.String), "", "", form).values.has_nulls()
    except UserError:
        return True  # a day or a month first


def _is_name(text: str, form: str | None) -> bool:
    """Tell whether a field of a first row names a column of times: it begins with a letter, and is no time or null."""
    begins = text[:1].isalpha() or text[:1] in ("_", "#", "$")
    return (
        begins and text.upper() != "NA" and not without_nulls(pl.Series([text])).has_nulls() and not is_time(text, form)
    )


def choose(
    path: Path, columns: str | None, first: Sequence[str], second: Sequence[str] | None, form: str | None = None
) -> ClickColumns:
    """Choose the columns by `columns` or by what is obvious; `first` and `second` are rows of text, or names alone.

    `form` is how times are written, as for `read_times`.
    Raises UserError where a column is not there, stands twice or is not clear, and for a header that is a click.
    """
    names = [name.strip() for name in first]
    if columns is None:
        return _obvious(path, names, second)
    asked, users = _parse(columns)
    found = {role: _find(names, name) for role, name in asked.items()}
    if second is not None and all(name.isdigit() for name in asked.values()) and None in found.values():
        return _by_position(path, asked, users, names, form)
    for role, name in asked.items():
        if (at := found[role]) is None:
            if second is None and name.isdigit():
                raise UserError(f"{path} has names for its columns: it has {some(names)}, so name them.")
            close = did_you_mean(name, names)
            raise UserError(f"{path} has no column '{name}': it has {some(names)}.{close}")
        refuse_twice(path, names, names[at])
    chosen = {role: at for role, at in found.items() if at is not None}
    _refuse_same(columns, chosen)
    if second is not None and any(is_time(names[chosen[role]], form) for role in (TIMESTAMP, DATE) if role in chosen):
        raise _no_header(path, names, chosen)
    return ClickColumns(chosen, {role: names[at] for role, at in chosen.items()}, header=True, users=users)


def some(columns: Sequence[str]) -> str:
    """List the first columns."""
    return ", ".join(columns[:12]) + (", …" if len(columns) > 12 else "")


def _parse(columns: str) -> tuple[dict[str, str], bool]:
    """Give the column of each role as it is asked for, and whether that of the session is one of users."""
    asked: dict[str, str] = {}
    users = False
    for part in columns.split(","):
        short, equals, name = (p.strip() for p in part.partition("="))
        users |= short == USER
        short = "session" if short == USER else short
        if not equals or short not in SHORT:
            raise UserError(f"--columns {columns!r}: '{part}' is not one of {_SAY}.")
        if SHORT[short] in asked:
            raise UserError(f"--columns {columns!r} says {short}=… twice: keep one of them.")
        asked[SHORT[short]] = name
    for short in _NEEDED:
        if SHORT[short] not in asked:
            raise UserError(f"--columns {columns!r} does not say which column is the {short}: add {short}=….")
    return asked, users


def _find(names: Sequence[str], name: str) -> int | None:
    """Find a column by its name, by its name in other cases where only one has it."""
    if name in names:
        return names.index(name)
    close = [at for at, other in enumerate(names) if other.casefold() == name.casefold()]
    return close[0] if len(close) == 1 else None


def _refuse_same(columns: str, at: dict[str, int]) -> None:
    """Raise UserError where one column is to be two of session, time and item."""
    needed = [at[SHORT[short]] for short in _NEEDED]
    if len(set(needed)) < len(needed):
        raise UserError(
            f"--columns {columns!r} takes one column for two of session, time and item: a click needs all three."
        )


def _by_position(
    path: Path, asked: dict[str, str], users: bool, first: Sequence[str], form: str | None
) -> ClickColumns:
    """Take positions, from 1; a first row that has a name where others have their time is a header."""
    at = {role: int(name) - 1 for role, name in asked.items()}
    for role, position in at.items():
        if not 0 <= position < len(first):
            short = next(s for s, name in SHORT.items() if name == role)
            raise UserError(
                f"{path}: --columns {short}={asked[role]} is no position, as there are {len(first)} columns: "
                f"choose 1 to {len(first)}, or a name of the header."
            )
    _refuse_same(",".join(f"{short}={asked[role]}" for short, role in SHORT.items() if role in asked), at)
    header = _is_name(first[at[DATE] if DATE in at else at[TIMESTAMP]], form)
    said = "the first row is taken for a header" if header else "without a header"
    names = {role: first[position] if header else f"{position + 1}" for role, position in at.items()}
    return ClickColumns(at, names, header, users, [f"Columns are taken by their position, {said}."])


def _obvious(path: Path, names: Sequence[str], second: Sequence[str] | None) -> ClickColumns:
    lower = {name.lower(): name for name in reversed(names)}
    chosen = {role: next((lower[n] for n in known if n in lower), None) for role, known in OBVIOUS.items()}
    users = chosen[SESSION_ID] is None
    if users:
        chosen[SESSION_ID] = next((lower[n] for n in _USERS if n in lower), None)
    for time, date in _TWO_COLUMNS:
        if time in lower and date in lower and not (second and is_time(_field(second, names.index(lower[time])))):
            chosen |= {TIMESTAMP: lower[time], DATE: lower[date]}
            break
    at = {role: names.index(name) for role, name in chosen.items() if name is not None}
    missing = [short for short in _NEEDED if SHORT[short] not in at]
    if missing:
        if second is not None and any(is_time(name) for name in names):
            raise _no_header(path, names, {TIMESTAMP: next(i for i, name in enumerate(names) if is_time(name))})
        raise UserError(
            f"{path} has the columns {some(names)}, and which is the {missing[0]} is not clear: {SAY_COLUMNS}."
        )
    for position in at.values():
        refuse_twice(path, names, names[position])
        alike = [name for name in names if name.lower() == names[position].lower()]
        if len(alike) > 1:
            raise UserError(
                f"{path} has the columns {' and '.join(alike)}, and which to take is not clear: {SAY_COLUMNS}."
            )
    chosen_names = {role: names[position] for role, position in at.items()}
    called = {short: USER if users and short == "session" else short for short in SHORT}
    taken = ", ".join(f"{called[short]}={names[at[role]]}" for short, role in SHORT.items() if role in at)
    return ClickColumns(at, chosen_names, header=True, users=users, notes=[f"Columns taken: {taken}."])


def _field(row: Sequence[str], at: int) -> str:
    return row[at] if at < len(row) else ""


def _no_header(path: Path, first: Sequence[str], at: dict[str, int]) -> UserError:
    known = {role: str(position + 1) for role, position in at.items()}
    say = ",".join(f"{short}={known.get(SHORT[short], 'N')}" for short in _NEEDED)
    return UserError(
        f"{path} has no header, as its first row is a click ({some(first)[:80]}): name columns by their position, "
        f"from 1, with --columns {say}."
    )
