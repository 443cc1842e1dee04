"""What options would keep of the clicks that were read, told before anything runs, from a sample of whole sessions."""

from dataclasses import dataclass, replace

import polars as pl

from pipeline.clicks.ingest import load_clicks, load_items
from pipeline.core.columns import SESSION_ID
from pipeline.sessions.config import PreprocessConfig
from pipeline.sessions.dropping import Kept, Step
from pipeline.sessions.splitting import split_kept
from pipeline.store.workspace import Workspace

MOST_CLICKS = 400_000  # that an estimate looks at
_SEED = 7


@dataclass(frozen=True, eq=False)
class Sample:
    """Some whole sessions of the clicks."""

    kept: Kept
    share: float
    """The part of all clicks that is here, 0 to 1; 1 where that is all of them."""


@dataclass(frozen=True)
class Expected:
    """What would be kept, scaled to all clicks."""

    steps: list[Step]
    train: int
    """Sessions to train on."""
    test: int
    """Sessions to test with."""
    boundary: str
    share: float


def take_sample(workspace: Workspace, most: int = MOST_CLICKS) -> Sample:
    """Read all clicks, or those of every nth session by its hash where they are more than `most`."""
    clicks, items = load_clicks(workspace), load_items(workspace)
    total = int(items["clicks"].sum())
    every = -(-total // most)
    if every > 1:
        clicks = clicks.filter(pl.col(SESSION_ID).hash(_SEED) % every == 0)
    kept = Kept.of(clicks, items)
    return Sample(kept, kept.clicks.height / total if every > 1 else 1.0)


def estimate(sample: Sample, config: PreprocessConfig) -> Expected:
    """Say what `config` would keep; raise UserError where it leaves nothing to train on or to test with."""
    split = split_kept(sample.kept, config, sample.share)
    scaled = [
        replace(step, clicks=round(step.clicks / sample.share), sessions=round(step.sessions / sample.share))
        for step in split.steps
    ]
    train, test = (round(int(split.of(part).sum()) / sample.share) for part in ("train", "test"))
    return Expected(scaled, train, test, split.boundary.isoformat(), sample.share)
