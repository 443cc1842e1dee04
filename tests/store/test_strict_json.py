"""Whatever is written as JSON is JSON by its standard: no NaN, no infinity, at any depth."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.cli.shared.base import finish
from pipeline.models import checkpoint
from pipeline.store import strict_json
from pipeline.store.workspace import read_json, write_json

_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
_NUMPY = st.floats(width=32).map(np.float32) | st.floats().map(np.float64) | st.integers(-9, 9).map(np.int64)
VALUES = st.recursive(
    _LEAVES | _NUMPY | st.lists(st.floats(width=32), max_size=3).map(lambda values: np.array(values, np.float32)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def strictly(text: str) -> Any:
    """Read JSON as a reader does that knows no NaN."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


def _expected(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _expected(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_expected(one) for one in value]
    if isinstance(value, np.ndarray):
        return [_expected(float(one)) for one in value]
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return value


@settings(max_examples=200, deadline=None)
@given(VALUES)
def test_every_value_is_written_as_json_by_its_standard(value: Any) -> None:
    assert strictly(strict_json.dumps(value)) == _expected(value)


def test_keys_are_text_or_what_json_makes_text_of() -> None:
    keys = {np.int64(3): 1, ("a", 1): 2, math.nan: 3, None: 4} | {np.float32(0.5): 5}
    assert strictly(strict_json.dumps(keys)) == {"3": 1, "('a', 1)": 2, "null": 4, "0.5": 5}


STRANGE = {"recall": math.nan, "rows": [{"price": math.inf, "loss": np.float32("nan"), "file": Path("a")}]}
PLAIN = {"recall": None, "rows": [{"price": None, "loss": None, "file": "a"}]}


def test_an_answer_and_a_file_hold_null_in_place_of_nan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    finish(tmp_path, True, lambda: STRANGE, print)
    assert strictly(capsys.readouterr().out) == PLAIN
    with pytest.raises(typer.Exit):
        finish(tmp_path / "none", True, lambda: 1 / 0, print)  # type: ignore[arg-type, return-value]
    assert set(strictly(capsys.readouterr().out)) == {"error"}
    write_json(tmp_path / "manifest.json", STRANGE)
    assert strictly((tmp_path / "manifest.json").read_text()) == PLAIN
    checkpoint.save(tmp_path / "kept.npz", {}, STRANGE)
    assert checkpoint.about(tmp_path / "kept.npz") == PLAIN


def test_nan_that_an_earlier_version_wrote_is_read_as_null(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text('{"auc": NaN, "loss": -Infinity, "text": "NaN"}')
    assert read_json(tmp_path / "old.json") == {"auc": None, "loss": None, "text": "NaN"}
