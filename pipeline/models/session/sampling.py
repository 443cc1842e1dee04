"""Which items a training step compares with, where the catalogue is too large to compare with all of them."""

from dataclasses import dataclass

import numpy as np

from pipeline.core.arrays import Doubles, Floats, Ints

FULL_UP_TO = 50_000  # items: below, the softmax over all of them is quick enough
SAMPLE = 8192  # draws a step
_POWER = 0.75  # of an item's clicks: rare items are drawn more often than they are clicked


@dataclass(frozen=True)
class Sampler:
    """Draw items by their clicks, and weigh each by how seldom it is drawn."""

    chance: Doubles  # (items,), of one draw
    up_to: Doubles  # its running sum

    @staticmethod
    def by(clicks: Ints) -> "Sampler":
        """Draw item i with a chance that grows with clicks[i], which may be 0."""
        weight = np.maximum(clicks, 1).astype(np.float64) ** _POWER
        chance = weight / weight.sum()
        return Sampler(chance, np.cumsum(chance))

    def draw(self, random: np.random.Generator, targets: Ints, others: Ints) -> tuple[Ints, Floats]:
        """Give the rows of a step, sorted, and the weight of each in the softmax's sum.

        The targets are there for certain, so with weight 1; what is drawn stands for all the rest, by its draws over
        their expectation: exp(logit - log q), the logQ correction (Bengio & Senécal, 2008). `others` are there to be
        read and weigh nothing. The weighted sum is an unbiased estimate of the sum over all items.
        """
        drawn = np.minimum(np.searchsorted(self.up_to, random.random(SAMPLE)), len(self.chance) - 1)
        rows = np.unique(np.concatenate([drawn, targets, others]))
        counts = np.bincount(np.searchsorted(rows, drawn), minlength=len(rows))
        weights = counts / (SAMPLE * self.chance[rows])
        weights[np.searchsorted(rows, targets)] = 1
        return rows, weights.astype(np.float32)
