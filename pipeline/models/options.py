"""What can be chosen of a model: every option with its meaning, default and range, read from where it is declared."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.core.errors import UserError
from pipeline.core.options import Options, bounds
from pipeline.core.text import did_you_mean
from pipeline.models.contract import RankerKind
from pipeline.models.registry import kind, retrievers

NAMED = ("epochs", "batch_size", "learning_rate", "budget", "seed")  # by a name of their own; others by --set


@dataclass(frozen=True)
class Option:
    """One thing that can be chosen of a model."""

    name: str
    default: Any
    """Its type is the option's."""
    meaning: str
    limits: tuple[float | None, float | None] = (None, None)
    """The least and the largest value of a number, None where there is none."""
    choices: tuple[str, ...] = ()
    """The values of a text."""

    @property
    def usual(self) -> bool:
        """Tell whether it is one of the first that anybody changes."""
        return self.name in NAMED or bool(self.choices)


def options(model: str) -> list[Option]:
    """List what can be chosen of a model, the usual ones first."""
    chosen = kind(model)
    retrieves = {"retrieval": tuple(retrievers())} if isinstance(chosen, RankerKind) else {}
    found = []
    for name, field in type(chosen.defaults).model_fields.items():
        limit, meaning = bounds(field), field.description or ""
        limits = limit.get("ge", limit.get("gt")), limit.get("le", limit.get("lt"))
        found.append(Option(name, getattr(chosen.defaults, name), meaning, limits, retrieves.get(name, ())))
    return sorted(found, key=lambda option: not option.usual)


def training_config(model: str, given: dict[str, Any]) -> Options:
    """Replace a model's defaults by those options that are given and that it has; raise UserError for a bad one."""
    defaults = kind(model).defaults
    return defaults.replace(**{k: v for k, v in given.items() if v is not None and k in type(defaults).model_fields})


def parse_options(model: str, given: Sequence[str]) -> dict[str, Any]:
    """Read 'NAME=VALUE' texts as the options of a model, or raise UserError naming the one that is not."""
    chosen = type(kind(model).defaults)
    known = list(chosen.model_fields)
    found: dict[str, Any] = {}
    for text in given:
        name, _, value = text.partition("=")
        if name not in known:
            has = f"has {', '.join(known)}" if known else "has none"
            raise UserError(f"Model '{model}' has no option '{name}': it {has}.{did_you_mean(name, known)}")
        found[name] = chosen.read(name, value)
    return found


def changed(model: str, config: dict[str, Any]) -> dict[str, Any]:
    """Give those of a training's options that differ from the model's defaults."""
    defaults = kind(model).defaults.model_dump()
    return {k: v for k, v in config.items() if k in defaults and defaults[k] != v}


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
