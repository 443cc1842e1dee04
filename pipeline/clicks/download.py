"""Download one file whole or not at all: resumed where it was cut off, checked by its sum, one process at a time."""

import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pipeline.core.errors import UserError
from pipeline.core.progress import Progress, silent
from pipeline.store.locks import lock
from pipeline.store.workspace import read_json, write_json

_BLOCK = 1 << 16
_TRIES = 3  # in a row that bring nothing new
_MOST_TRIES = 100
_PAUSE_S = 1.0  # before the second try; twice as long before each one after it
_TIMEOUT_S = (10, 30)  # to connect, and between two blocks
_MOST_BYTES = 1 << 30
_SLOWEST = 100  # bytes a second
_WINDOW_S = 60  # over which that is told


@dataclass(frozen=True)
class Wanted:
    """A file to download, and how to tell that it is the right one."""

    url: str
    target: Path
    sum: Callable[[Path], str]
    """Gives what `sha256` is compared with."""
    sha256: str


class _Cut(Exception):
    """The connection was cut, or never came about."""


def download(wanted: Wanted, instead: str, progress: Progress = silent) -> None:
    """Bring the file to its place; raise UserError, ending in what works `instead`, where that cannot be done."""
    held = lock(wanted.target.with_name(f".{wanted.target.name}.lock"))
    try:
        if not wanted.target.exists():  # whoever held the lock before may have brought it
            _bring(wanted, instead, progress)
    except OSError as error:
        raise UserError(f"{wanted.target} cannot be written ({error.strerror}): free disk space or mend it.") from error
    finally:
        os.close(held)


def _bring(wanted: Wanted, instead: str, progress: Progress) -> None:
    part = wanted.target.with_name(f"{wanted.target.name}.part")
    resumed = part.exists() and part.stat().st_size > 0
    _all_of(wanted.url, part, instead, progress)
    found = wanted.sum(part)
    if found != wanted.sha256 and resumed:  # what lay there may be of another file
        _forget(part)
        _all_of(wanted.url, part, instead, progress)
        found = wanted.sum(part)
    if found != wanted.sha256:
        _forget(part)
        raise UserError(
            f"{wanted.url} gives another file than the one known here (SHA-256 {found}, not {wanted.sha256}): "
            f"it is not taken; {instead}"
        )
    part.replace(wanted.target)
    _forget(part)


def _all_of(url: str, part: Path, instead: str, progress: Progress) -> None:
    failed, pause, furthest = 0, _PAUSE_S, part.stat().st_size if part.exists() else 0
    for tried in range(1, _MOST_TRIES + 1):
        try:
            _rest_of(url, part, instead, progress)
        except _Cut as error:
            reached = part.stat().st_size if part.exists() else 0
            failed = 0 if reached > furthest else failed + 1
            furthest = max(furthest, reached)  # of all tries: a server that lets each begin anew gets no further
            if failed >= _TRIES or tried == _MOST_TRIES:
                raise UserError(f"{urlsplit(url).hostname} could not be reached ({error}): {instead}") from error
            progress(0, 1, f"{error}; trying again")
            time.sleep(pause if failed else 0)
            pause = min(2 * pause, 8.0) if failed else _PAUSE_S
        else:
            return


def _rest_of(url: str, part: Path, instead: str, progress: Progress) -> None:
    """Add what `part` still lacks; a server that has another file now, or knows no ranges, sends all of it."""
    import requests
    import urllib3

    beginning = part.stat().st_size if part.exists() else 0
    known: dict[str, Any] = read_json(_note(part)) or {}
    asked = {"Accept-Encoding": "identity"}
    if beginning and known.get("url") == url and known.get("validator"):
        asked |= {"Range": f"bytes={beginning}-", "If-Range": known["validator"]}
    else:
        beginning = 0
    try:
        with requests.get(url, headers=asked, stream=True, timeout=_TIMEOUT_S) as reply:
            if reply.status_code == 416 or (reply.status_code == 206 and not _begins(reply, beginning)):
                _forget(part)
                raise _Cut("what was there before does not fit")
            if reply.status_code >= 500:
                raise _Cut(f"it answers {reply.status_code}")
            if reply.status_code not in (200, 206):
                raise UserError(
                    f"{url} answers {reply.status_code} {reply.reason}, so it is not to be had there: {instead}"
                )
            if reply.status_code == 200:
                beginning = 0
                write_json(_note(part), {"url": url, "validator": _validator(reply)})
            _write(reply, part, beginning, instead, progress)
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise _Cut(_reason(error)) from error


def _write(reply: Any, part: Path, beginning: int, instead: str, progress: Progress) -> None:
    length = reply.headers.get("Content-Length", "")
    total = beginning + int(length) if length.isdecimal() else 0
    done = at_first = beginning
    since = time.monotonic()
    with part.open("ab" if beginning else "wb") as file:
        while block := reply.raw.read1(_BLOCK):  # what has come, so that a cut loses nothing
            file.write(block)
            done += len(block)
            if done > _MOST_BYTES:
                raise UserError(f"{reply.url} sends more than {_MOST_BYTES >> 20} MB: that is not the file meant.")
            if (took := time.monotonic() - since) > _WINDOW_S:
                if done - at_first < _SLOWEST * took:
                    raise UserError(
                        f"{urlsplit(reply.url).hostname} sends less than {_SLOWEST} bytes a second: fetch it later, as "
                        f"what has come is kept; {instead}"
                    )
                since, at_first = time.monotonic(), done
            progress(done, max(total, done), f"{done / 1e6:,.1f} MB")
        file.flush()
        os.fsync(file.fileno())
    if done < total:
        raise _Cut("the connection was cut")


def _begins(reply: Any, beginning: int) -> bool:
    return str(reply.headers.get("Content-Range", "")).startswith(f"bytes {beginning}-")


def _validator(reply: Any) -> str:
    """Give what tells this file from a later one; a weak ETag does not."""
    etag = str(reply.headers.get("ETag", ""))
    return etag if etag and not etag.startswith("W/") else str(reply.headers.get("Last-Modified", ""))


def _reason(error: Exception) -> str:
    import requests

    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not accepted"
    return "no connection" if isinstance(error, requests.ConnectionError) else "the connection was cut"


def _note(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _note(part).unlink(missing_ok=True)


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """Give a path beside `target` that takes its place when the block ends well, and vanishes when not."""
    beside = target.with_name(f".{target.name}.{os.getpid()}-{secrets.token_hex(4)}")
    try:
        yield beside
        beside.replace(target)
    except OSError as error:
        raise UserError(
            f"{target} cannot be written ({error.strerror}): free disk space or mend the folder."
        ) from error
    finally:
        beside.unlink(missing_ok=True)
