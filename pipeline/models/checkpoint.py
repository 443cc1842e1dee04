"""A training's last whole epoch on disk, so that one that was killed goes on from there."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core.arrays import Numbers
from pipeline.store import strict_json

NamedArrays = Mapping[str, Numbers]
CONFIG = "config"  # in what it says: the settings of the training
_ABOUT = "about"


def save(path: Path, arrays: NamedArrays, about: dict[str, Any]) -> None:
    """Write arrays and a JSON object as one file that appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".part")
    try:
        with beside.open("wb") as file:
            np.savez(file, **{_ABOUT: np.frombuffer(strict_json.dumps(about).encode(), np.uint8)}, **arrays)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def about(path: Path) -> dict[str, Any] | None:
    """Read the JSON object alone, or None where there is no checkpoint."""
    try:
        with np.load(path) as stored:
            found: dict[str, Any] = strict_json.loads(stored[_ABOUT].tobytes())
    except FileNotFoundError:
        return None
    return found


def load(path: Path) -> tuple[dict[str, Numbers], dict[str, Any]] | None:
    """Read (arrays, JSON object), or None where there is no checkpoint."""
    if not path.exists():
        return None
    with np.load(path) as stored:
        arrays = {name: stored[name] for name in stored.files}
    return arrays, strict_json.loads(arrays.pop(_ABOUT).tobytes())
