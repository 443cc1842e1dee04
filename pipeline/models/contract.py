"""What a model is to everything else: what it can be asked once it is trained, and how a kind of model is trained.

A kind of model is one class: its title, its options and their defaults, `train` and `load`. What it is beyond that is
said by the class that it builds on: `EncoderKind`, `RankerKind`, `BaselineKind`.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Generic, Protocol, TypeVar, runtime_checkable

import polars as pl
from pydantic import Field

from pipeline.core.arrays import Floats
from pipeline.core.options import Options
from pipeline.core.progress import Progress, silent
from pipeline.metrics.ranking import Scores
from pipeline.sessions.histories import Histories
from pipeline.store.stage import Metrics

# what the trained models' options have in common
Epochs = Annotated[int, Field(ge=1, le=1000)]
BatchSize = Annotated[int, Field(ge=16, le=65536)]
LearningRate = Annotated[float, Field(ge=1e-6, le=1.0)]
Seed = Annotated[int, Field(ge=0, le=2**31)]


class Model(Protocol):
    """Score every item of the training catalogue after a history."""

    def score(self, histories: Histories) -> Scores:
        """Give (n, items) scores, higher is better."""


class Encoder(Model, Protocol):
    """A model that scores by the dot product of two vectors, a history's and an item's, so that an index can search."""

    @property
    def vectors(self) -> Floats:
        """Give the items' vectors (items, dim), in the order of the catalogue."""

    def encode(self, histories: Histories) -> Floats:
        """Give the histories' vectors (n, dim)."""


@runtime_checkable
class KnowsSessions(Protocol):
    """An encoder that has a vector for each session of its training, by its id."""

    def encode_sessions(self, ids: pl.Series) -> Floats:
        """Give the sessions' vectors (n, dim)."""


class RankerOptions(Options):
    """What can be chosen of any ranker."""

    retrieval: str = Field(description="The model whose candidates are ranked.")


O = TypeVar("O", bound=Options)  # noqa: E741
R = TypeVar("R", bound=RankerOptions)


@dataclass(frozen=True)
class TrainingInput(Generic[O]):
    """What a training is given."""

    folder: Path
    """Where the model is written; `load` reads the same folder."""
    clicks: pl.DataFrame
    """Of the training sessions, encoded, ordered by session and time."""
    catalogue: pl.DataFrame
    """The items of training, whose order is that of the scores."""
    options: O
    progress: Progress = silent
    checkpoint: Path | None = None
    """A file for a training that can be cut off: what lies there goes on, what ends well removes it."""
    before: Path | None = None
    """The folder of the model trained before, for a training that goes on from it."""
    retrieval: Model | None = None
    """What retrieves for a ranker."""


class Kind(ABC, Generic[O]):
    """A kind of model: what it is, what can be chosen of it, how it is trained and how it is read back."""

    title: ClassVar[str]
    about: ClassVar[str]
    defaults: O
    """Its options as they are where nothing is chosen."""
    packages: ClassVar[tuple[str, ...]] = ()
    """Whose versions stand in the manifest."""
    has_vectors: ClassVar[bool] = False
    """It is an `EncoderKind`."""

    @abstractmethod
    def train(self, given: TrainingInput[O]) -> Metrics:
        """Learn from the clicks, write the model to its folder, and give its figures."""

    @abstractmethod
    def load(self, folder: Path, catalogue: pl.DataFrame, retrieval: Model | None = None) -> Model:
        """Read the model from its folder; `retrieval` is what retrieves for a ranker."""

    def needs(self, options: O) -> str | None:
        """Name the model that has to be trained before this one, and that is read with it; None for none."""
        return None


class EncoderKind(Kind[O]):
    """A kind whose vectors an index can search."""

    has_vectors = True
    fits_all: ClassVar[bool] = False
    """Learns in the end from the sessions held out as well, so that nothing else can learn from its errors on them."""

    @abstractmethod
    def load(self, folder: Path, catalogue: pl.DataFrame, retrieval: Model | None = None) -> Encoder:
        """Read the encoder from its folder."""


class RankerKind(Kind[R]):
    """A kind that orders what the model named by its option `retrieval` retrieves."""

    def needs(self, options: R) -> str | None:
        """Name the model that retrieves."""
        return options.retrieval


class BaselineKind(Kind[O]):
    """Simple and hard to beat: what a model is compared with."""


class KnowsFeatures(ABC):
    """What a kind is beside, whose items nobody has clicked yet have vectors too, by what is known of them."""

    @abstractmethod
    def describe(self, folder: Path, items: pl.DataFrame) -> tuple[Floats, Floats]:
        """Give vectors (n, dim) of items, and (n,) how many of their features training has seen."""
