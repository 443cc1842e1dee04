"""Files of clicks written for the tests, and how they are read or refused."""

import io
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline.clicks import ClickSource, source
from pipeline.clicks.source import Clicks
from pipeline.core.errors import UserError

FIRST = datetime(2014, 4, 7, 10, 51, 9, tzinfo=UTC)
TIMES = ["2014-04-07T10:51:09Z", "2014-04-07T10:52:09Z", "2014-04-07T10:53:09Z"]
GOOD = "session,time,item\n1,2014-04-07T10:51:09Z,a\n1,2014-04-07T10:52:09Z,b\n2,2014-04-07T10:53:09Z,a\n"
Build = Callable[..., Path]


def read(path: Path, columns: str | None = None, **more: Any) -> Clicks:
    return source.read_source(ClickSource(str(path), columns, **more))


def refused(path: Path, columns: str | None = None, **more: Any) -> str:
    with pytest.raises(UserError) as caught:
        read(path, columns, **more)
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence.removeprefix(f"{path}")


def zipped(*members: tuple[str, str | bytes]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return held.getvalue()
