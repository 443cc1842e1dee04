"""What can be chosen of a model: every option with its meaning, default and range, read from where it is declared."""

import ast
import inspect
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from itertools import pairwise
from typing import Any

from pipeline.core.checks import Limits
from pipeline.core.errors import UserError
from pipeline.core.text import did_you_mean
from pipeline.models.registry import kind, retrievers

NAMED = ("epochs", "batch_size", "learning_rate", "budget", "seed")  # by a name of their own; others by --set
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True)
class Option:
    """One thing that can be chosen of a model."""

    name: str
    default: Any
    """Its type is the option's."""
    meaning: str
    limits: tuple[float, float] | None = None
    """The least and the largest value of a number."""
    choices: tuple[str, ...] = ()
    """The values of a text."""

    @property
    def usual(self) -> bool:
        """Tell whether it is one of the first that anybody changes."""
        return self.name in NAMED or bool(self.choices)


def options(model: str) -> list[Option]:
    """List what can be chosen of a model, the usual ones first."""
    config = kind(model).config
    limits: Limits = getattr(config, "LIMITS", {})
    meanings = _meanings(config.__class__)
    found = [
        Option(
            field.name,
            getattr(config, field.name),
            meanings.get(field.name, ""),
            limits.get(field.name),
            tuple(retrievers()) if field.name == "retrieval" else (),
        )
        for field in fields(config)
    ]
    return sorted(found, key=lambda option: not option.usual)


@cache
def _meanings(config: Any) -> dict[str, str]:
    """Read the text under each field of a dataclass, of those that it inherits too."""
    found: dict[str, str] = {}
    for owner in reversed(config.__mro__[:-1]):
        body = ast.parse(textwrap.dedent(inspect.getsource(owner))).body[0].body  # type: ignore[attr-defined]
        for field, text in pairwise(body):
            if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
                found[ast.unparse(field.target)] = str(text.value.value)
    return found


def training_config(model: str, given: dict[str, Any]) -> Any:
    """Replace a model's defaults by those options that are given and that it has; raise UserError for a bad one."""
    config = kind(model).config
    return replace(config, **{k: v for k, v in given.items() if v is not None and hasattr(config, k)})


def parse_options(model: str, given: Sequence[str]) -> dict[str, Any]:
    """Read 'NAME=VALUE' texts as the options of a model, or raise UserError naming the one that is not."""
    config = kind(model).config
    known = [field.name for field in fields(config)]
    found: dict[str, Any] = {}
    for text in given:
        name, _, value = text.partition("=")
        if name not in known:
            has = f"has {', '.join(known)}" if known else "has none"
            raise UserError(f"Model '{model}' has no option '{name}': it {has}.{did_you_mean(name, known)}")
        found[name] = _parsed(name, value, getattr(config, name))
    return found


def _parsed(name: str, value: str, default: Any) -> Any:
    try:
        return _TRUTH[value.lower()] if isinstance(default, bool) else type(default)(value)
    except (KeyError, ValueError) as error:
        what = "true or false" if isinstance(default, bool) else "a number"
        like = str(default).lower() if isinstance(default, bool) else default
        raise UserError(f"{name} '{value}' is not {what}: write it like {name}={like}.") from error


def changed(model: str, config: dict[str, Any]) -> dict[str, Any]:
    """Give those of a training's options that differ from the model's defaults."""
    defaults = kind(model).config
    return {k: v for k, v in config.items() if hasattr(defaults, k) and getattr(defaults, k) != v}


def arguments(model: str, config: dict[str, Any]) -> list[str]:
    """Write a training's options as the command line takes them: the named ones, and of the others what is changed."""
    other = changed(model, config)
    given: list[str] = []
    for option in options(model):
        if option.name in NAMED and option.name in config:
            given += [f"--{option.name.replace('_', '-')}", f"{config[option.name]}"]
        elif option.name in other:
            given += ["--set", f"{option.name}={config[option.name]}"]
    return given
