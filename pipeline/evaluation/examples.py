"""What is ranked: every click of the test sessions but the first, after the clicks before it."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline.core.arrays import Ints
from pipeline.core.columns import FIRST_IDX, ITEM_IDX, SESSION_ID
from pipeline.core.text import percent
from pipeline.metrics.ranking import Scores
from pipeline.sessions import sparse
from pipeline.sessions.histories import Histories, next_clicks

MOST_SESSIONS = 200_000  # that are ranked: of more, so many are drawn; an interval of recall@20 is then some ±.002
_SEED = 20
CLICKS = "clicks"  # how many clicks of the session had been revealed
_HUNDREDTH = 0.01
_LARGE, _TIMES = 0.25, 10  # share of all examples, and times the median session's, at which it is said


@dataclass(frozen=True)
class Longest:
    """How many of the examples the longest sessions make: a robot among visitors may make nearly all."""

    sessions: int
    examples: int
    of: int
    median: float
    """Examples of a session."""

    @property
    def share(self) -> float:
        """Give their share of all examples."""
        return self.examples / max(1, self.of)

    @property
    def note(self) -> str:
        """Say it where it is large, '' where it is not: over a quarter, and ten times as many as are usual each."""
        if self.share < _LARGE or self.examples < _TIMES * self.median * self.sessions:
            return ""
        whose = "the longest session makes" if self.sessions == 1 else f"the {self.sessions:,} longest sessions make"
        return (
            f"Of {self.of:,} next clicks, {whose} {self.examples:,} ({percent(self.share, 1)}), where the median "
            f"session has {self.median:g}: the figures mostly show how well those are predicted."
        )


@dataclass(frozen=True)
class EvaluationExamples:
    """n next clicks, and what was clicked before each."""

    histories: Histories  # (n,) as a model reads them
    seen: Histories | None  # (n,) all clicks before, where those shall not be recommended
    targets: Ints  # (n,) columns of the catalogue, -1 outside it
    table: pl.DataFrame  # (n,) session_id, clicks, item_idx
    sampled_of: int = 0  # sessions that there are, where not all of them are looked at

    @staticmethod
    def of(clicks: pl.DataFrame, exclude_seen: bool = False, max_clicks: int = 0) -> "EvaluationExamples":
        """Reveal each session click by click; with `exclude_seen`, what the session clicks again is no example.

        `max_clicks` bounds a session's examples to its first next clicks; 0: all of them. Of more than MOST_SESSIONS
        sessions so many are drawn at random, the same ones for every model.
        """
        clicks, sampled_of = _drawn(clicks)
        histories, items, _ = next_clicks(clicks)
        targets = np.where(items >= FIRST_IDX, items - FIRST_IDX, -1)
        known_before = ~pl.struct(SESSION_ID, ITEM_IDX).is_first_distinct() & (pl.col(ITEM_IDX) >= FIRST_IDX)
        table = clicks.select(
            SESSION_ID,
            pl.int_range(pl.len(), dtype=pl.Int32).over(SESSION_ID).alias(CLICKS),
            ITEM_IDX,
            known_before.alias("_seen"),
        ).filter(pl.col(CLICKS) > 0)
        seen_before, late = pl.col("_seen") & pl.lit(exclude_seen), pl.col(CLICKS) > (max_clicks or clicks.height)
        left_out = table.select(seen_before | late).to_series()
        kept = ~left_out.to_numpy()
        seen = next_clicks(clicks, max_history=clicks.height)[0].take(kept) if exclude_seen else None
        table = table.filter(~left_out).drop("_seen")
        return EvaluationExamples(histories.take(kept), seen, targets[kept], table, sampled_of)

    def longest(self) -> "Longest":
        """Count what the longest hundredth of the sessions, one at least, contributes."""
        counts = self.table.group_by(SESSION_ID).len()["len"].sort(descending=True)
        sessions = max(1, round(len(counts) * _HUNDREDTH))
        return Longest(sessions, int(counts[:sessions].sum()), int(counts.sum()), float(counts.median() or 0))  # type: ignore[arg-type]

    def hide(self, scores: Scores, rows: slice) -> Scores:
        """Take what these examples' sessions have clicked out of their scores, where it shall not be recommended."""
        if self.seen is None:
            return scores
        row, column, _ = sparse.clicked(self.seen.take(rows))
        if isinstance(scores, np.ndarray):
            hidden = np.array(scores, np.float32)
            hidden[row, column] = -np.inf
            return hidden
        known = sparse.table(row, column, np.ones(len(row), np.float32), scores.shape)
        rest = scores - scores.multiply(known > 0)
        rest.eliminate_zeros()
        return rest.tocsr()


def _drawn(clicks: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Give the clicks of at most MOST_SESSIONS sessions, and how many sessions there are where that is not all."""
    lengths = clicks[SESSION_ID].rle().struct.field("len").to_numpy()
    if len(lengths) <= MOST_SESSIONS:
        return clicks, 0
    chosen = np.zeros(len(lengths), np.bool_)
    chosen[np.random.default_rng(_SEED).choice(len(lengths), MOST_SESSIONS, replace=False)] = True
    return clicks.filter(pl.Series(np.repeat(chosen, lengths))), len(lengths)


def sample_note(sampled_of: int) -> str:
    """Say that not all sessions were looked at, '' where they were."""
    if not sampled_of:
        return ""
    return f"Measured on {MOST_SESSIONS:,} of {sampled_of:,} test sessions, drawn at random, alike for every model."
