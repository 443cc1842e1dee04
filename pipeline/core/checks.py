"""Checks of values that a person gives: one sentence with the value, the rule and the way out."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from pipeline.core.errors import UserError
from pipeline.core.text import did_you_mean


def one_of(value: str, known: Iterable[str], what: str) -> str:
    """Give `value` back where it is one of `known`, or raise UserError."""
    choices = list(known)
    if value not in choices:
        raise UserError(f"There is no {what} '{value}': choose {', '.join(choices)}.{did_you_mean(value, choices)}")
    return value


def finite(value: Any) -> bool:
    """Tell whether no number of an array, or of a dataclass, mapping or sequence of arrays, is NaN or infinite."""
    if isinstance(value, np.ndarray):
        return value.dtype.kind != "f" or bool(np.isfinite(value).all())
    if is_dataclass(value):
        return all(finite(getattr(value, field.name)) for field in fields(value))
    if isinstance(value, Mapping):
        return all(map(finite, value.values()))
    if isinstance(value, tuple | list):
        return all(map(finite, value))
    return not isinstance(value, float) or math.isfinite(value)
