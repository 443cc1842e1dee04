"""A download goes on where it was, is never another file, and ends in a sentence where it cannot."""

import hashlib
import os
import threading
from pathlib import Path

import pytest

from pipeline.clicks import download
from pipeline.clicks.download import Wanted
from pipeline.core.errors import Cancelled, UserError
from pipeline.store.workspace import write_json
from tests.clicks.site import Site, serving

pytestmark = pytest.mark.usefixtures("folder")

BODY = os.urandom(400_000)


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
