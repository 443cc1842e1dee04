"""Known data sets: fetched from a web server whole and checked, brought by hand, and read by their names."""

import hashlib
import io
import re
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.clicks import ClickSource, datasets, read_source
from pipeline.core.errors import UserError
from tests.clicks.site import Site, serving
from tests.conftest import cli

pytestmark = pytest.mark.usefixtures("folder")

ROWS = (
    b"year;month;day;order;country;session ID;page 1 (main category);page 2 (clothing model);colour;location;"
    b"model photography;price;price 2;page\n"
    b"2008;4;1;1;29;1;1;A13;1;5;1;28;2;1\n2008;4;1;2;29;1;1;A16;1;6;1;33;2;1\n2008;4;1;1;29;2;2;B4;10;2;1;52;1;1\n"
)


def test_without_network_one_sentence_says_what_works(tmp_path: Path) -> None:
    nowhere = {"HTTPS_PROXY": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9", "NO_PROXY": "", "no_proxy": ""}
    code, answer = cli(tmp_path / "ws", "run", "--clicks", "eshop", "--fetch", **nowhere)
    assert code == 2
    assert answer["error"].startswith("archive.ics.uci.edu could not be reached (no connection): a file")
    assert "`--clicks shop` needs no network" in answer["error"]
    code, answer = cli(tmp_path / "ws", "data", "fetch", "yoochoose", **nowhere)
    assert code == 2
    assert re.match(
        r"yoochoose (could not be downloaded from Kaggle \(no connection\)|is downloaded by)", answer["error"]
    )
    assert "`--clicks shop` needs no network" in answer["error"]


def _archive(*more: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("e-shop clothing 2008.csv", ROWS)
        for name in more:
            archive.writestr(name, "about")
    return made.getvalue()


@pytest.mark.parametrize("more", [[], ["e-shop data description.txt"]])
def test_the_eshop_is_fetched_checked_and_read_by_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch, more: list[str]
) -> None:
    with serving(Site(_archive(*more))) as site:
        data = replace(datasets.ESHOP, url=site.url.replace("file.zip", datasets.ESHOP.files[2]))
        data = replace(data, sha256=hashlib.sha256(ROWS).hexdigest())
        monkeypatch.setattr(datasets, "KNOWN", (datasets.SHOP, data))
        assert data.state == "not fetched"
        datasets.fetch("eshop")
        datasets.fetch("eshop")
    assert data.state == "fetched"
    assert len(site.asked) == 1
    found = read_source(ClickSource("eshop"))
    assert found.clicks["item_id"].to_list() == ["A13", "A16", "B4"]
    assert "CC BY 4.0" in " ".join(found.notes)


def test_a_file_put_into_the_folder_counts_as_fetched(folder: Path) -> None:
    folder.mkdir()
    (folder / "yoochoose-clicks.dat").write_text(
        "1,2014-04-07T10:51:09.277Z,214536502,0\n2,2014-04-07T10:54:09.868Z,214536500,0\n"
    )
    assert read_source(ClickSource("yoochoose")).clicks.height == 2
    assert datasets.fetch("yoochoose")[1].name == "yoochoose-clicks.dat"


def test_another_file_is_not_imported_under_a_known_name(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "mine.csv").write_bytes(ROWS)
    with pytest.raises(UserError, match=f"SHA-256 {hashlib.sha256(ROWS).hexdigest()}, not {datasets.ESHOP.sha256}"):
        datasets.bring("eshop", tmp_path / "mine.csv")
    assert datasets.ESHOP.state == "not fetched"


def test_a_file_of_ones_own_has_a_name_from_then_on(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "mine.csv").write_text("session,time,item\n1,2014-04-07,a\n1,2014-04-08,b\n2,2014-04-08,a\n")
    code, answer = cli(tmp_path / "ws", "data", "import", "my-clicks", str(tmp_path / "mine.csv"))
    assert code == 0, answer
    assert read_source(ClickSource("my-clicks")).clicks.height == 3
    assert [d.name for d in datasets.known_data_sets()][-1] == "my-clicks"
    assert (tmp_path / "mine.csv").exists()


@pytest.mark.parametrize(
    ("name", "file", "expected"),
    [
        ("shop", "mine.csv", "is no name for a data set"),
        ("../x", "mine.csv", "is no name for a data set"),
        ("mine", "nowhere.csv", "There is no file"),
        ("mine", "mine.exe", "does not end as a file of clicks does"),
    ],
)
def test_what_cannot_be_imported_is_one_sentence(tmp_path: Path, name: str, file: str, expected: str) -> None:
    (tmp_path / "mine.csv").write_text("x")
    (tmp_path / "mine.exe").write_text("x")
    with pytest.raises(UserError, match=expected):
        datasets.bring(name, tmp_path / file)
    with pytest.raises(UserError, match="There is nothing to fetch for 'nothing': choose eshop or yoochoose"):
        datasets.fetch("nothing")


@pytest.mark.realdata
def test_the_kept_sum_is_that_of_the_real_eshop_file(eshop_file: Path) -> None:
    assert datasets.click_sum(eshop_file, datasets.ESHOP) == datasets.ESHOP.sha256


def test_an_imported_file_does_not_change_with_the_one_it_was_copied_from(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "log.csv").write_bytes(b"session,time,item\n")
    (tmp_path / "link.csv").symlink_to("log.csv")
    for name, given in (("mine", "log.csv"), ("linked", "link.csv")):
        _, copied = datasets.bring(name, tmp_path / given)
        assert copied.read_bytes() == b"session,time,item\n"
        assert not copied.is_symlink()
    with (tmp_path / "log.csv").open("ab") as file:
        file.write(b"more")
    assert (folder / "own-mine.csv").read_bytes() == b"session,time,item\n"
