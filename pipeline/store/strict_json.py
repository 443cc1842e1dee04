"""JSON as its standard has it, for every file, line and answer: NaN and infinity, which it does not know, are null."""

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np


def dumps(value: Any, indent: int | None = None) -> str:
    """Write `value` as JSON that every reader takes (RFC 8259); what has no form of its own is written as its text."""
    return json.dumps(_plain(value), indent=indent, default=str, allow_nan=False)


def loads(text: str | bytes) -> Any:
    """Read JSON; NaN and infinity, which earlier versions wrote, are None."""
    return json.loads(text, parse_constant=lambda _: None)


def _plain(value: Any) -> Any:
    """Turn NumPy's numbers and arrays into Python's, and what is not finite into None, at any depth."""
    if isinstance(value, np.generic | np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {_name(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value


def _name(key: Any) -> Any:
    """Turn a key into one that JSON has; what is no number, text or None is written as its text."""
    plain = _plain(key)
    return plain if plain is None or isinstance(plain, str | int | float) else str(key)
