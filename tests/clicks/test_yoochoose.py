"""YOOCHOOSE's raw format is read a piece at a time as the careful way reads it, or left to that."""

import gzip
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from pipeline.clicks.canonical import canonical
from pipeline.clicks.files import archives, reader, yoochoose
from pipeline.clicks.source import ClickSource, read_source
from pipeline.core.errors import UserError
from pipeline.core.progress import silent
from tests.conftest import real_file

ROW = st.tuples(
    st.integers(0, 10**9),
    st.datetimes(datetime(1991, 1, 1), datetime(2099, 1, 1)),
    st.integers(0, 10**12),
    st.sampled_from(["0", "S", "1", "12", "2089046723"]),
)


def _carefully(path: Path) -> pl.DataFrame:
    return canonical(reader.read_clicks(path, reader.content(path), None)).clicks


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(ROW, min_size=1, max_size=30), st.sampled_from([10, 200, 1 << 26]), st.booleans(), st.booleans())
def test_it_is_read_as_the_careful_way_reads_it(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[int, datetime, int, str]],
    piece: int,
    packed: bool,
    end: bool,
) -> None:
    text = "\n".join(
        f"{session},{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03}Z,{item},{category}"
        for session, time, item, category in rows
    )
    path = tmp_path_factory.mktemp("raw") / "clicks.dat"
    raw = (text + "\n" * end).encode()
    path.write_bytes(gzip.compress(raw) if packed else raw)
    before, yoochoose._PIECE = yoochoose._PIECE, piece
    try:
        found = yoochoose.read(path, silent)
    finally:
        yoochoose._PIECE = before
    assert found is not None
    assert_frame_equal(found, _carefully(path))


GOOD = "1,2014-04-07T10:51:09.277Z,214536502,0\n2,2014-04-07T10:54:09.868Z,214536500,S\n"


@pytest.mark.parametrize(
    "text",
    [
        GOOD.replace("1,2014", "01,2014"),
        GOOD.replace("2,2014", " 2,2014"),
        GOOD.replace("214536500", "+214536500"),
        GOOD.replace("214536500", "i214536500"),
        GOOD.replace("1,2014", "-1,2014"),
        GOOD.replace(".868Z", "Z"),
        GOOD.replace(".868Z", ".868"),
        GOOD.replace("2014-04-07T10:54", "1814-04-07T10:54"),
        GOOD.replace("2014-04-07T10:54", "2014-04-37T10:54"),
        GOOD.replace(",S\n", ",\n"),
        GOOD.replace(",S\n", ", S\n"),
        GOOD.replace(",S\n", ",NULL\n"),
        GOOD.replace(",S\n", ",1.0\n"),
        GOOD.replace(",S\n", ",S,1\n"),
        GOOD.replace(",S\n", "\n"),
        GOOD.replace(",S\n", ',"S"\n'),
        GOOD.replace("\n", "\r\n"),
        GOOD + "\n",
        GOOD.replace("2,2014", "99999999999999999999,2014"),
        "session,time,item,category\n" + GOOD,
        "",
    ],
)
def test_what_is_written_in_another_way_is_left_to_the_careful_one(tmp_path: Path, text: str) -> None:
    path = tmp_path / "clicks.dat"
    path.write_text(text, newline="")
    assert yoochoose.read(path, silent) is None


def test_a_damaged_archive_is_left_to_it_too(tmp_path: Path) -> None:
    path = tmp_path / "clicks.dat.gz"
    path.write_bytes(gzip.compress(GOOD.encode() * 50)[:-12])
    assert yoochoose.read(path, silent) is None


@pytest.mark.parametrize(("packed", "how"), [(False, "holds"), (True, "unpacks to")])
def test_more_text_than_there_is_memory_for_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: bool, how: str
) -> None:
    monkeypatch.setenv(archives.MOST_VARIABLE, "1")
    raw = GOOD.encode() * 14_000
    path = tmp_path / "clicks.dat"
    path.write_bytes(gzip.compress(raw) if packed else raw)
    with pytest.raises(UserError, match=f"{how} more than 1 MB, the most that is read here"):
        read_source(ClickSource(str(path)))
    monkeypatch.setenv(archives.MOST_VARIABLE, "2")
    assert read_source(ClickSource(str(path))).clicks.height == 28_000


@pytest.mark.realdata
def test_real_clicks_are_the_same_both_ways() -> None:
    path = real_file("yoochoose-clicks-100k.dat.gz")
    found = yoochoose.read(path, silent)
    assert found is not None
    assert_frame_equal(found, _carefully(path))
    read = read_source(ClickSource(str(path)))
    assert read.notes == ["Read as YOOCHOOSE's raw format."]
    assert read.left_out.is_empty()
