"""Whatever pandas, Polars and Arrow write, CSV or Parquet, is read back: the same ids as text, the same times."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.clicks import ClickSource, read_log
from pipeline.clicks.values.ids import NULLS
from pipeline.core.columns import ITEM_ID, SESSION_ID, TIMESTAMP

BEGIN = datetime(1990, 1, 1, tzinfo=UTC)
CHECKED = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def _plain(text: str) -> bool:
    return text == text.strip() and text not in NULLS and not text.endswith(".0") and "\r" not in text


TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc"), include_characters="\n"), min_size=1).filter(_plain)
WHOLE = st.integers(-(2**63), 2**63 - 1)
IDS: dict[str, st.SearchStrategy[Any]] = {
    "text": TEXTS | st.sampled_from(["007", "1e5", "-0", "a,b", 'TV 12" flat', '"x"', "a;b|c\td"]),
    "int": WHOLE,
    "unsigned": st.integers(0, 2**64 - 1),
    "float": st.integers(-(2**53) + 1, 2**53 - 1).map(float),
}
TIMES = st.integers(0, 111 * 365 * 86_400 * 10**6 - 1).map(lambda us: BEGIN + timedelta(microseconds=us))

Table = tuple[list[Any], list[datetime], list[Any]]


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, Table]:
    """Draw (type of the ids, (sessions, times, items)) of one to eight clicks."""
    kind = draw(st.sampled_from(sorted(IDS)))
    size = draw(st.integers(1, 8))
    ids = st.lists(IDS[kind], min_size=size, max_size=size)
    return kind, (draw(ids), draw(st.lists(TIMES, min_size=size, max_size=size)), draw(ids))


ARROW = {"text": pa.string(), "int": pa.int64(), "unsigned": pa.uint64(), "float": pa.float64()}
POLARS = {"text": pl.String, "int": pl.Int64, "unsigned": pl.UInt64, "float": pl.Float64}
PANDAS = {"text": "string", "int": "Int64", "unsigned": "UInt64", "float": "Float64"}
NUMPY: dict[str, Any] = {"text": object, "int": np.int64, "unsigned": np.uint64, "float": np.float64}


def _pandas(kind: str, table: Table, dtypes: dict[str, Any]) -> pd.DataFrame:
    sessions, times, items = table
    frame = pd.DataFrame({"time": pd.to_datetime(pd.Series(times), utc=True)})
    for name, ids in (("session", sessions), ("item", items)):
        frame[name] = pd.Series(np.array(ids, NUMPY[kind])).astype(dtypes[kind])
    return frame


def _polars(kind: str, table: Table) -> pl.DataFrame:
    sessions, times, items = table
    return pl.DataFrame(
        {
            "session": pl.Series(sessions, dtype=POLARS[kind]),
            "time": pl.Series(times, dtype=pl.Datetime("us", "UTC")),
            "item": pl.Series(items, dtype=POLARS[kind]),
        }
    )


def _arrow(kind: str, table: Table, times: pa.DataType) -> pa.Table:
    sessions, moments, items = table
    stamps = pa.array(moments, pa.timestamp("us", "UTC")).cast(times)
    return pa.table({"session": pa.array(sessions, ARROW[kind]), "time": stamps, "item": pa.array(items, ARROW[kind])})


def _dictionary(kind: str, table: Table) -> pa.Table:
    made = _arrow(kind, table, pa.timestamp("us", "UTC"))
    return made.set_column(2, "item", made["item"].dictionary_encode())


WRITERS: dict[str, Callable[[str, Table, Path], object]] = {
    "pandas CSV": lambda k, t, p: _pandas(k, t, NUMPY).to_csv(p, index=False),
    "pandas TSV with an index": lambda k, t, p: _pandas(k, t, NUMPY).to_csv(p, sep="\t"),
    "pandas nullable CSV": lambda k, t, p: _pandas(k, t, PANDAS).to_csv(p, index=False, sep=";"),
    "pandas Parquet": lambda k, t, p: _pandas(k, t, NUMPY).to_parquet(p),
    "pandas nullable Parquet": lambda k, t, p: _pandas(k, t, PANDAS).to_parquet(p),
    "pandas categorical Parquet": lambda k, t, p: _pandas(k, t, NUMPY).astype({"item": "category"}).to_parquet(p),
    "Polars CSV": lambda k, t, p: _polars(k, t).write_csv(p),
    "Polars CSV, all quoted": lambda k, t, p: _polars(k, t).write_csv(p, quote_style="always", line_terminator="\r\n"),
    "Polars Parquet": lambda k, t, p: _polars(k, t).write_parquet(p),
    "Arrow CSV": lambda k, t, p: pyarrow.csv.write_csv(_arrow(k, t, pa.timestamp("us", "UTC")), p),
    "Arrow Parquet": lambda k, t, p: pq.write_table(_arrow(k, t, pa.timestamp("us", "Asia/Kolkata")), p),
    "Arrow dictionaries": lambda k, t, p: pq.write_table(_dictionary(k, t), p),
    "Arrow int96": lambda k, t, p: pq.write_table(
        _arrow(k, t, pa.timestamp("us")), p, use_deprecated_int96_timestamps=True
    ),
}


def _as_read(value: Any) -> str:
    return str(int(value)) if isinstance(value, int | float) else value


@CHECKED
@given(writer=st.sampled_from(sorted(WRITERS)), drawn=tables())
def test_what_is_written_is_read_back(tmp_path: Path, writer: str, drawn: tuple[str, Table]) -> None:
    kind, (sessions, times, items) = drawn
    path = tmp_path / "clicks"
    WRITERS[writer](kind, (sessions, times, items), path)
    clicks, _ = read_log(ClickSource(str(path)))
    found = zip(clicks[SESSION_ID].cast(pl.String), clicks[TIMESTAMP], clicks[ITEM_ID].cast(pl.String), strict=True)
    expected = zip(map(_as_read, sessions), times, map(_as_read, items), strict=True)
    assert Counter(found) == Counter(expected)


@CHECKED
@given(
    times=st.lists(TIMES, min_size=1, max_size=8),
    form=st.sampled_from(
        ["%Y-%m-%dT%H:%M:%S.%fZ", "%Y-%m-%d %H:%M:%S.%f+00", "%Y/%m/%d %H:%M:%S,%f UTC", "%Y%m%dT%H%M%S"]
    ),
    minutes=st.integers(-14 * 60, 14 * 60),
)
def test_times_in_text_are_the_times_that_were_written(
    tmp_path: Path, times: list[datetime], form: str, minutes: int
) -> None:
    """A time is the same however it is written, and with an offset it is that much earlier."""
    sign, size = "+-"[minutes < 0], abs(minutes)
    offset = f"{sign}{size // 60:02}:{size % 60:02}"
    whole = [t.replace(microsecond=0) if "%f" not in form else t for t in times]
    rows = [f"1;{t.strftime(form)};{n}" for n, t in enumerate(whole)]
    rows += [f"2;{t.strftime('%Y-%m-%d %H:%M:%S')}{offset};{n}" for n, t in enumerate(whole)]
    path = tmp_path / "clicks.csv"
    path.write_text("\n".join(["session;time;item", *rows]))
    late = timedelta(minutes=minutes)
    moved = [t.replace(microsecond=0) - late for t in whole]
    inside = all(1990 <= t.year <= 2100 for t in moved)
    clicks, _ = read_log(ClickSource(str(path), bad_rows=0 if inside else len(rows)))
    assert sorted(clicks.filter(pl.col(SESSION_ID) == 1)[TIMESTAMP]) == sorted(whole)
    if inside:
        assert sorted(clicks.filter(pl.col(SESSION_ID) == 2)[TIMESTAMP]) == sorted(moved)
