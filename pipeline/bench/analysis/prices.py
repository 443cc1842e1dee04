"""What a core, a gigabyte of memory and a GPU cost: shipped lists of prices, and a workspace's own in their place."""

import csv
import io
import re
from dataclasses import asdict, dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any

from pipeline.core.errors import UserError
from pipeline.core.project import ASSETS
from pipeline.core.text import did_you_mean
from pipeline.store.workspace import Workspace, write_text

SHIPPED = ASSETS / "prices.csv"
HOURS = 730  # in a month, as cloud providers count
_GB = 2**30  # bytes: they charge for GiB and write GB
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


@dataclass(frozen=True)
class Price:
    """A list of prices, in USD an hour."""

    name: str
    vcpu_hour_usd: float
    """For a virtual core."""
    gb_hour_usd: float
    """For 2^30 bytes of memory."""
    source: str = ""
    """Where both are published."""
    date: str = ""
    """The day on which they were looked up, YYYY-MM-DD; empty where it is not known, so that they must be checked."""
    gpu_hour_usd: float | None = None
    """For a whole instance with one GPU, its cores and memory included; None where it is not known."""
    gpu_source: str = ""
    """Which instance, which GPU, and where its price is published."""
    gpu_date: str = ""
    """As `date`, of the GPU's price."""


def load_prices(workspace: Workspace) -> list[Price]:
    """Read the workspace's own prices where there are any, else the shipped ones."""
    own = own_file(workspace)
    return _read(own if own.exists() else SHIPPED)


def find_prices(workspace: Workspace, name: str | None) -> Price:
    """Find prices by their name, the first of the list where none is named, or raise UserError."""
    known = {row.name: row for row in load_prices(workspace)}
    if name is not None and name not in known:
        raise UserError(f"There are no prices '{name}': choose {', '.join(known)}.{did_you_mean(name, known)}")
    return known[name] if name is not None else next(iter(known.values()))


def prices_origin(price: Price, device: str = "cpu") -> str:
    """Say where prices come from and of which day they are; those of no known day must be checked."""
    source, day = (price.gpu_source, price.gpu_date) if device == "gpu" else (price.source, price.date)
    return f"{source or 'your own'}; {f'of {day}' if day else 'the day is not known: check it before use'}"


def own_file(workspace: Workspace) -> Path:
    """Give where a workspace keeps prices of its own."""
    return workspace.root / "prices.csv"


def save(workspace: Workspace, rows: list[Price]) -> None:
    """Check prices and write them as the workspace's own; a reader meets the old file or the new one."""
    checked = [_checked(asdict(row)) for row in rows]
    _check_names(checked)
    text = io.StringIO()
    writer = csv.DictWriter(text, _columns(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in checked)
    target = own_file(workspace)
    try:
        write_text(target, text.getvalue())
    except OSError as error:
        raise UserError(f"{target} could not be written ({error.strerror}): free disk space and try again.") from error


def change(workspace: Workspace, name: str, values: dict[str, Any]) -> Price:
    """Add a list of prices, or change what is given of one; a changed price is no longer of its old source and date."""
    known = {row.name: row for row in load_prices(workspace)}
    before = known.get(name)
    if before is None and not {"vcpu_hour_usd", "gb_hour_usd"} <= values.keys():
        raise UserError(f"There are no prices '{name}' yet: give --vcpu-hour and --gb-hour.{did_you_mean(name, known)}")
    kept = asdict(before) if before else {"name": name}
    if {"vcpu_hour_usd", "gb_hour_usd"} & values.keys():
        kept |= {"source": "", "date": ""}
    if "gpu_hour_usd" in values:
        kept |= {"gpu_source": "", "gpu_date": ""}
    known[name] = _checked(kept | values)
    save(workspace, list(known.values()))
    return known[name]


def monthly_usd(price: Price, memory_bytes: float, cores: float) -> float:
    """Give the USD that a month (730 h) of so much memory and so many cores costs."""
    return HOURS * (price.gb_hour_usd * memory_bytes / _GB + price.vcpu_hour_usd * cores)


def _columns() -> list[str]:
    return [f.name for f in fields(Price)]


def _read(path: Path) -> list[Price]:
    try:
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} cannot be read ({error}): mend or remove it.") from error
    try:
        found = [_checked({column: row.get(column) for column in _columns()}) for row in rows]
        _check_names(found)
    except UserError as error:
        raise UserError(f"{path}: {error} Mend or remove the file; its columns are {', '.join(_columns())}.") from error
    return found


def _checked(values: dict[str, Any]) -> Price:
    given = {column: "" if values.get(column) is None else str(values[column]).strip() for column in _columns()}
    name = given["name"]
    if not _NAME.fullmatch(name):
        raise UserError(f"'{name}' cannot name prices: take up to 40 of a to z, 0 to 9 and hyphens.")
    for day in (given["date"], given["gpu_date"]):
        if day and not _is_day(day):
            raise UserError(f"The date '{day}' of the prices '{name}' is none: write it as YYYY-MM-DD.")
    vcpu, memory = (_amount(name, column, values.get(column)) for column in ("vcpu_hour_usd", "gb_hour_usd"))
    gpu = _amount(name, "gpu_hour_usd", given["gpu_hour_usd"]) if given["gpu_hour_usd"] not in ("", "nan") else None
    return Price(name, vcpu, memory, given["source"], given["date"], gpu, given["gpu_source"], given["gpu_date"])


def _amount(name: str, column: str, value: Any) -> float:
    try:
        amount = float(value)
    except (TypeError, ValueError):
        amount = float("nan")
    if not 0 <= amount < float("inf"):
        raise UserError(f"{column} '{value}' of the prices '{name}' is no price: give USD an hour, 0 or more.")
    return amount


def _is_day(text: str) -> bool:
    try:
        return bool(re.fullmatch(r"\d{4}-\d\d-\d\d", text)) and bool(date.fromisoformat(text))
    except ValueError:
        return False


def _check_names(rows: list[Price]) -> None:
    names = [row.name for row in rows]
    if not names:
        raise UserError("There is no price: give at least one.")
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UserError(f"The prices '{twice}' stand there more than once: keep one row a name.")
