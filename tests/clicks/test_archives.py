"""What is packed: the one file of an archive is read, and what would fill the memory or is damaged is refused."""

import bz2
import gzip
import lzma
import random
import struct
from collections.abc import Callable
from contextlib import suppress

import pytest

from pipeline.clicks.files import archives
from pipeline.core.errors import UserError
from tests.clicks.written import GOOD, Build, read, refused, zipped


@pytest.mark.parametrize(
    "members",
    [
        [("a.csv", GOOD), ("__MACOSX/._a.csv", b"\0\5\x16\7")],
        [("data/a.csv", GOOD), ("data/.DS_Store", b"\0"), ("README.md", "of a shop")],
        [("a.csv.gz", gzip.compress(GOOD.encode()))],
        [("a.zip", zipped(("a.csv", GOOD)))],
    ],
)
def test_the_one_file_of_an_archive(text: Build, members: list[tuple[str, str | bytes]]) -> None:
    assert read(text(zipped(*members), "c.zip")).clicks.height == 3


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, lambda raw: zipped(("a.csv", raw))])
def test_what_is_packed_is_bounded_before_it_fills_the_memory(
    pack: Callable[[bytes], bytes], text: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(archives.MOST_VARIABLE, "1")
    path = text(pack(GOOD.encode() + b"1,2014-04-07T10:51:09Z,a\n" * 60_000), "c.packed")
    assert path.stat().st_size < 1_000_000
    assert "unpacks to more than 1 MB, the most that is read here" in refused(path)
    monkeypatch.setenv(archives.MOST_VARIABLE, "2")
    assert read(path).clicks.height == 60_003


def test_a_zip_that_lies_about_its_size_is_bounded_too(text: Build) -> None:
    raw = bytearray(zipped(("a.csv", b"a" * 3_000_000)))
    raw[raw.find(b"PK\1\2") + 24 : raw.find(b"PK\1\2") + 28] = struct.pack("<I", 10)
    with pytest.raises(UserError, match=r"damaged|more than"):
        archives.unpack(text(bytes(raw), "c.zip"), 1_000_000)


def test_a_plain_file_is_bounded_and_the_bound_is_a_number(text: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    path = text(GOOD)
    with pytest.raises(UserError, match="holds more than 0 MB"):
        archives.unpack(path, 10)
    monkeypatch.setenv(archives.MOST_VARIABLE, "lots")
    assert "CLICK_ROAD_MOST_MB is 'lots': set it to a whole number" in refused(path)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, lambda raw: zipped(("a.csv", raw))])
def test_damage_anywhere_in_what_is_packed_is_one_sentence(pack: Callable[[bytes], bytes], text: Build) -> None:
    whole, chance = pack(GOOD.encode()), random.Random(7)
    for _ in range(60):
        raw = bytearray(whole[: chance.randrange(len(whole) // 2, len(whole) + 1)])
        for _ in range(chance.randrange(3)):
            raw[chance.randrange(len(raw))] = chance.randrange(256)
        with suppress(UserError):
            read(text(bytes(raw), "c.packed"))


def test_a_zip_whose_only_file_is_called_as_a_note_is_read(text: Build) -> None:
    assert read(text(zipped(("readme_clicks.csv", GOOD)), "c.zip")).clicks.height == 3
