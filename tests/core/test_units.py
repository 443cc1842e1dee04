"""One way to write a share, money and settings, on every page and in every sentence: 95 %, $43.82, nlist 128."""

import re

import pytest

from pipeline.core.project import PROJECT
from pipeline.core.text import named, percent, usd

OTHERWISE = {
    "a share that Python formats (use percent)": r":[^{}\n]*%\}",
    "a number with % right behind it": r"[\"' ][\d.]+%(?=[ ,.)])",
    "money that is not written by usd": r"[\"'(]\\*\$\{[^}]+:|\} ?\$[\"' ]",
    "settings joined by hand (use named)": r"\{(?:k|name)\} \{v(?:alue)?\}\" for (?:k|name), v(?:alue)? in row\[",
}


@pytest.mark.parametrize("kind", OTHERWISE)
def test_nothing_is_written_otherwise(kind: str) -> None:
    files = [
        f for folder in ("app", "pages", "pipeline") for f in (PROJECT / folder).rglob("*.py") if f.name != "text.py"
    ]
    lines = [(f, line) for f in files for line in f.read_text().splitlines() if '= r"' not in line]  # no patterns
    found = [f"{f.relative_to(PROJECT)}: {line.strip()}" for f, line in lines if re.search(OTHERWISE[kind], line)]
    assert not found


def test_how_they_are_written() -> None:
    assert (percent(0.95), percent(0.1765, 1), percent(1)) == ("95 %", "17.6 %", "100 %")
    assert (usd(43.82), usd(1234.5), usd(0.046), usd(0), usd(49)) == ("$43.82", "$1,234", "$0.046", "$0.00", "$49.00")
    assert named({"nlist": 128, "m": 8}) == "nlist 128, m 8"
