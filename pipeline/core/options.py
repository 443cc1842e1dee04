"""What a user chooses: frozen models whose fields say default, bounds and meaning, and refuse in one sentence."""

from collections.abc import Iterator
from functools import cache
from typing import Any, Self, get_args

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from pipeline.core.columns import LATER
from pipeline.core.errors import UserError
from pipeline.core.text import did_you_mean

_CONFIG = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
_BOUNDS = ("ge", "gt", "le", "lt")
_OUT_OF_RANGE = {"greater_than_equal", "greater_than", "less_than_equal", "less_than", "finite_number"}
_WHAT = {bool: "true or false", int: "a number", float: "a number", str: "text"}


class Options(BaseModel):
    """Options of a model, a stage or a benchmark; raises UserError for a value that breaks a rule.

    Numbers are finite, and nothing is converted: neither '5' nor True is a number. Several values are a tuple that is
    not strict, as JSON has lists. What one option asks of another is a validator of the class that raises UserError.
    Field names, order and defaults go into keys of stages and checkpoints: a change makes what users have stale. A
    field that comes later is marked `LATER` (its json_schema_extra), and stands there only where it is not the default.
    """

    model_config = _CONFIG

    def __init__(self, **given: Any) -> None:
        try:
            super().__init__(**given)
        except ValidationError as error:
            raise UserError(_sentence(type(self), error)) from error

    def replace(self, **given: Any) -> Self:
        """Give the same options with others in place of some, checked anew."""
        return type(self)(**{name: getattr(self, name) for name in type(self).model_fields} | given)

    def written(self) -> dict[str, Any]:
        """Give the options as they stand in keys and manifests."""
        fields = type(self).model_fields
        plain = self.model_dump()
        return {n: v for n, v in plain.items() if fields[n].json_schema_extra != LATER or v != fields[n].default}

    @classmethod
    def read(cls, name: str, text: str) -> Any:
        """Read one option's value from text, as the command line has it; raise UserError where it is none."""
        try:
            return _reader(cls, name).validate_strings(text)
        except ValidationError as error:
            raise UserError(_sentence(cls, error, name)) from error


def bounds(field: FieldInfo) -> dict[str, float]:
    """Give the bounds of a number, or of each of several, by their names: ge, gt, le and lt."""
    items = (part for item in get_args(field.annotation) for part in getattr(item, "__metadata__", ()))
    marks = [*field.metadata, *(mark for part in items if isinstance(part, FieldInfo) for mark in part.metadata)]
    found = ((name, getattr(mark, name, None)) for mark in marks for name in _BOUNDS)
    return {name: value for name, value in found if value is not None}


@cache
def _reader(options: type[Options], name: str) -> TypeAdapter[Any]:
    return TypeAdapter(options.model_fields[name].rebuild_annotation(), config=_CONFIG)


def _sentence(options: type[Options], error: ValidationError, name: str = "") -> str:
    """Say what is wrong with the first bad option: its value, the rule and the way out."""
    found = error.errors(include_url=False)[0]
    name, value = name or str(found["loc"][0]), found["input"]
    if found["type"] == "extra_forbidden":
        known = list(options.model_fields)
        has = f"choose {', '.join(known)}" if known else "there is none to choose"
        return f"There is no option '{name}': {has}.{did_you_mean(name, known)}"
    if found["type"] == "missing":
        return f"The option '{name}' has no default: give it."
    field = options.model_fields[name]
    if found["type"] in _OUT_OF_RANGE and (limits := bounds(field)):
        return f"{name} {value} is out of range: choose {_range(limits)}."
    like = "" if field.is_required() else f": write it like {name}={_written(field.default)}"
    return f"{name} '{_written(value)}' is not {_what(field, value)}{like}."


def _range(limits: dict[str, float]) -> str:
    if {"ge", "le"} == limits.keys():
        return f"{_number(limits['ge'])} to {_number(limits['le'])}"
    words = {"ge": "{} or more", "gt": "above {}", "le": "at most {}", "lt": "below {}"}
    return ", ".join(words[name].format(_number(limits[name])) for name in _BOUNDS if name in limits)


def _number(limit: float) -> str:
    """Write whole numbers with thousands separated, and others as short as they are."""
    return f"{limit:,.0f}" if float(limit).is_integer() else f"{limit:g}"


def _what(field: FieldInfo, value: Any) -> str:
    """Name what an option takes; what is a number, though not a whole one, is told so."""
    types = list(_types(field.annotation))
    if int in types and _is_number(value):
        return "a whole number"
    return next((_WHAT[one] for one in types if one in _WHAT), "what it takes")


def _types(annotation: Any) -> Iterator[Any]:
    """Give a type and those that it is made of."""
    yield annotation
    for part in get_args(annotation):
        yield from _types(part)


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (OverflowError, TypeError, ValueError):
        return False
    return not isinstance(value, bool)


def _written(value: Any) -> Any:
    """Write a value as the command line has it."""
    if isinstance(value, tuple):
        return ",".join(str(_written(one)) for one in value)
    return str(value).lower() if isinstance(value, bool) else value
