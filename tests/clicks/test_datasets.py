"""Known data sets: fetched from a web server whole and checked, brought by hand, and read by their names."""

import hashlib
import io
import os
import re
import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.clicks import ClickSource, datasets, download, read
from pipeline.clicks.download import Wanted
from pipeline.core.errors import Cancelled, UserError
from pipeline.core.workspace import write_json
from tests.clicks.site import Site, serving
from tests.conftest import cli

BODY = os.urandom(400_000)
ROWS = (
    b"year;month;day;order;country;session ID;page 1 (main category);page 2 (clothing model);colour;location;"
    b"model photography;price;price 2;page\n"
    b"2008;4;1;1;29;1;1;A13;1;5;1;28;2;1\n2008;4;1;2;29;1;1;A16;1;6;1;33;2;1\n2008;4;1;1;29;2;2;B4;10;2;1;52;1;1\n"
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(download, "_PAUSE_S", 0.01)
    monkeypatch.setenv("CLICK_ROAD_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def _sum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _wanted(site: Site, folder: Path, content: bytes = BODY) -> Wanted:
    folder.mkdir(exist_ok=True)
    return Wanted(site.url, folder / "file.zip", _sum, hashlib.sha256(content).hexdigest())


def _left(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir() if p.suffix != ".lock")


def test_a_cut_connection_goes_on_where_it_was(folder: Path) -> None:
    with serving(Site(BODY, cut_after=[100_000, 150_000])) as site:
        download.download(_wanted(site, folder), "")
    assert (folder / "file.zip").read_bytes() == BODY
    assert [a and int(a[6:-1]) // 1000 for a in site.asked] == [None, 100, 250]
    assert _left(folder) == ["file.zip"]


def test_a_download_that_was_stopped_goes_on_later(folder: Path) -> None:
    def stop(done: float, total: float, text: str = "", point: object = None) -> None:
        if done > 200_000:
            raise Cancelled

    with serving(Site(BODY)) as site:
        with pytest.raises(Cancelled):
            download.download(_wanted(site, folder), "", stop)
        assert _left(folder) == ["file.zip.part", "file.zip.part.json"]
        download.download(_wanted(site, folder), "")
    assert site.asked[1] is not None
    assert _left(folder) == ["file.zip"]
    assert (folder / "file.zip").read_bytes() == BODY


@pytest.mark.parametrize("lack", [{"ranges": False}, {"validators": False}])
def test_a_server_without_ranges_or_without_a_validator_sends_it_all_again(folder: Path, lack: dict[str, bool]) -> None:
    with serving(Site(BODY, cut_after=[100_000], **lack)) as site:  # type: ignore[arg-type]
        download.download(_wanted(site, folder), "")
    assert (folder / "file.zip").read_bytes() == BODY


def test_a_file_that_changed_while_it_was_cut_off_is_begun_anew(folder: Path) -> None:
    with serving(Site(BODY[::-1], cut_after=[100_000])) as site:
        wanted = _wanted(site, folder)
        with pytest.raises(Cancelled):
            download.download(wanted, "", _stop_at_a_cut)
        site.content = BODY
        download.download(wanted, "")
    assert (folder / "file.zip").read_bytes() == BODY


def _stop_at_a_cut(done: float, total: float, text: str = "", point: object = None) -> None:
    if "was cut" in text:
        raise Cancelled


def test_what_lies_there_of_another_file_is_thrown_away(folder: Path) -> None:
    with serving(Site(BODY)) as site:
        wanted = _wanted(site, folder)
        (folder / "file.zip.part").write_bytes(b"x" * 5_000)
        write_json(folder / "file.zip.part.json", {"url": site.url, "validator": site.etag})
        download.download(wanted, "")
    assert (folder / "file.zip").read_bytes() == BODY


def test_a_file_changed_upstream_is_refused_with_both_sums(folder: Path) -> None:
    with serving(Site(BODY + b"!")) as site:
        with pytest.raises(UserError) as caught:
            download.download(_wanted(site, folder), "`--clicks shop` needs no network.")
    assert hashlib.sha256(BODY).hexdigest() in str(caught.value)
    assert hashlib.sha256(BODY + b"!").hexdigest() in str(caught.value)
    assert _left(folder) == []


def test_two_at_once_download_it_once(folder: Path) -> None:
    with serving(Site(BODY)) as site:
        wanted = _wanted(site, folder)
        threads = [threading.Thread(target=download.download, args=(wanted, "")) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(site.asked) == 1
    assert (folder / "file.zip").read_bytes() == BODY


@pytest.mark.parametrize(("status", "expected"), [(404, "answers 404"), (503, "could not be reached (it answers 503)")])
def test_a_server_that_refuses_is_one_sentence(folder: Path, status: int, expected: str) -> None:
    with serving(Site(BODY, status=status)) as site:
        with pytest.raises(UserError, match="`--clicks shop` needs no network") as caught:
            download.download(_wanted(site, folder), "`--clicks shop` needs no network.")
    assert expected in str(caught.value)


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
    found = read(ClickSource("eshop"))
    assert found.clicks["item_id"].to_list() == ["A13", "A16", "B4"]
    assert "CC BY 4.0" in " ".join(found.notes)


def test_a_file_put_into_the_folder_counts_as_fetched(folder: Path) -> None:
    folder.mkdir()
    (folder / "yoochoose-clicks.dat").write_text(
        "1,2014-04-07T10:51:09.277Z,214536502,0\n2,2014-04-07T10:54:09.868Z,214536500,0\n"
    )
    assert read(ClickSource("yoochoose")).clicks.height == 2
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
    assert read(ClickSource("my-clicks")).clicks.height == 3
    assert [d.name for d in datasets.known()][-1] == "my-clicks"
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


def test_a_server_that_never_gets_further_ends_in_a_sentence(folder: Path) -> None:
    with (
        serving(Site(BODY, cut_after=[1000] * 50, misplaced=7)) as site,
        pytest.raises(UserError, match="could not be reached .*; here"),
    ):
        download.download(_wanted(site, folder), "; here")
    assert len(site.asked) <= 10


def test_a_server_that_sends_a_byte_each_time_ends_in_a_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "_MOST_TRIES", 9)
    with serving(Site(BODY, cut_after=[1] * 50)) as site, pytest.raises(UserError, match="could not be reached"):
        download.download(_wanted(site, folder), "")
    assert len(site.asked) == 9


def test_a_body_that_trickles_ends_in_a_sentence_and_is_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "_WINDOW_S", 0.3)
    with serving(Site(BODY, pause_s=0.05)) as site:
        with pytest.raises(UserError, match="sends less than 100 bytes a second: fetch it later, as what has come is"):
            download.download(_wanted(site, folder), "")
        assert _left(folder) == ["file.zip.part", "file.zip.part.json"]


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
