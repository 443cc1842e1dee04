"""The kinds of models. A new one is a folder with a class for its kind (see contract.py), and one entry in `KINDS`."""

from typing import Any

from pipeline.core.errors import UserError
from pipeline.core.text import did_you_mean
from pipeline.models.baselines.kind import ItemKnnKind, PopularityKind, RulesKind, VsKnnKind
from pipeline.models.contract import BaselineKind, EncoderKind, Kind
from pipeline.models.dlrm.kind import DlrmKind, PublishedDlrmKind
from pipeline.models.session.kind import SessionKind
from pipeline.models.two_tower.kind import TwoTowerKind
from pipeline.models.two_tower_published.kind import PublishedKind

KINDS: dict[str, Kind[Any]] = {
    "session": SessionKind(),
    "two_tower": TwoTowerKind(),
    "two_tower_published": PublishedKind(),
    "dlrm": DlrmKind(),
    "dlrm_published": PublishedDlrmKind(),
    "popularity": PopularityKind(),
    "itemknn": ItemKnnKind(),
    "sr": RulesKind(),
    "vsknn": VsKnnKind(),
}


def kind(name: str) -> Kind[Any]:
    """Find a kind of model by its name, or raise UserError."""
    if name not in KINDS:
        raise UserError(f"There is no model '{name}': the models are {', '.join(KINDS)}.{did_you_mean(name, KINDS)}")
    return KINDS[name]


def baselines() -> list[str]:
    """List the models that others are compared with."""
    return [name for name, entry in KINDS.items() if isinstance(entry, BaselineKind)]


def encoder_kind(name: str) -> EncoderKind[Any]:
    """Find a kind of model that makes vectors, or raise UserError."""
    entry = kind(name)
    if not isinstance(entry, EncoderKind):
        able = " or ".join(_encoders())
        raise UserError(f"Model '{name}' makes no vectors to search with: choose one that does, such as {able}.")
    return entry


def retrievers() -> list[str]:
    """List the models that a ranker can be trained over."""
    return [name for name, entry in _encoders().items() if not entry.fits_all]


def retriever(name: str) -> EncoderKind[Any]:
    """Find a kind of model that a ranker can be trained over, or raise UserError."""
    entry, fit = kind(name), " or ".join(retrievers())
    if not isinstance(entry, EncoderKind):
        raise UserError(f"A ranker takes what a model with vectors retrieves; {name} has none: choose {fit}.")
    if entry.fits_all:
        raise UserError(
            f"A ranker learns from sessions that retrieval has not learned from, and {name} learns from all of them "
            f"in its last passes: choose {fit}."
        )
    return entry


def _encoders() -> dict[str, EncoderKind[Any]]:
    return {name: entry for name, entry in KINDS.items() if isinstance(entry, EncoderKind)}
