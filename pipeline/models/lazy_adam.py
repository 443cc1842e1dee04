"""An embedding table whose optimiser touches only the rows that a batch reads, with the answer of one that touches all.

Adam as Keras has it moves every row of a table at every step, also those without a gradient, since their moments are
still there. Of a table of a million sessions that is all the work, for a thousand rows that matter. What a row without
gradient does is known beforehand, though: its moments shrink by beta1 and beta2 a step, so its move shrinks by
r = beta1 / sqrt(beta2). All the moves that a row has missed are one sum, made up for when it is read again.
(Kingma & Ba, ICLR 2015; the sum leaves epsilon as it was when the row was last read.)
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.core.arrays import Floats, Ints, Numbers

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-7  # Keras's defaults
_RATIO = BETA1 / BETA2**0.5


class Schedule:
    """The step sizes of a training, and the sums of those that a row without gradient would still take."""

    def __init__(self, rate: float, steps: int) -> None:
        """Prepare `steps` steps with a learning rate."""
        count = np.arange(1, steps + 1)
        self.sizes = np.concatenate([[0.0], rate * np.sqrt(1 - BETA2**count) / (1 - BETA1**count)])
        self._to_come = np.zeros(steps + 1)  # sum over k >= 1 of sizes[t + k] * _RATIO**k
        for step in range(steps - 1, -1, -1):
            self._to_come[step] = _RATIO * (self.sizes[step + 1] + self._to_come[step + 1])

    def missed(self, since: Ints, until: int) -> Floats:
        """Give what multiplies a row's mean over the root of its square, for the steps after `since` up to `until`."""
        later = _RATIO ** (until - since) * self._to_come[until]
        return np.asarray(self._to_come[since] - later, np.float32)


@dataclass
class ReadRows:
    """Rows of a table as of a step, with their moments: to be moved and written back."""

    rows: Ints
    values: Floats
    mean: Floats
    square: Floats


class AdamTable:
    """Rows (n, dim) with Adam's moments and the step at which each was last read."""

    def __init__(self, values: Floats, compact: bool = False) -> None:
        """Take the first weights; `compact` keeps moments in two bytes (bfloat16), for tables that fill the memory.

        A row that is read at every step wants four: what a step adds to its square is less than two bytes tell apart.
        """
        self.values, self.compact = values, compact
        kind = np.uint16 if compact else np.float32
        self._mean, self._square = (np.zeros(values.shape, kind) for _ in range(2))
        self._last = np.zeros(len(values), np.int32)

    def read(self, rows: Ints, schedule: Schedule, step: int) -> ReadRows:
        """Give different rows as they stand after `step`."""
        last = self._last[rows]
        mean, square = (_wide(moments[rows]) for moments in (self._mean, self._square))
        missed = schedule.missed(last, step)[:, None]
        values = self.values[rows] - missed * mean / (np.sqrt(square) + np.float32(EPSILON))
        gone = (step - last).astype(np.float32)[:, None]
        mean *= np.float32(BETA1) ** gone
        square *= np.float32(BETA2) ** gone
        return ReadRows(rows, values, mean, square)

    def move(self, read: ReadRows, gradient: Floats, schedule: Schedule, step: int) -> None:
        """Take step number `step` (the first is 1) with rows that were read as of the one before."""
        adam(read.values, read.mean, read.square, gradient, schedule.sizes[step])
        self._write(read, step)

    def _write(self, read: ReadRows, step: int) -> None:
        self.values[read.rows] = read.values
        narrow = _narrow if self.compact else lambda values: values
        self._mean[read.rows], self._square[read.rows] = narrow(read.mean), narrow(read.square)
        self._last[read.rows] = step


def adam(values: Floats, mean: Floats, square: Floats, gradient: Floats, size: float) -> None:
    """Take one step of Adam in place; `size` is the rate with the moments' bias corrected."""
    mean += np.float32(1 - BETA1) * (gradient - mean)
    square += np.float32(1 - BETA2) * (np.square(gradient) - square)
    values -= np.float32(size) * mean / (np.sqrt(square) + np.float32(EPSILON))


def _narrow(values: Floats) -> npt.NDArray[np.uint16]:
    """Round to the upper two bytes."""
    return ((values.view(np.uint32) + np.uint32(0x7FFF)) >> np.uint32(16)).astype(np.uint16)


def _wide(values: Numbers) -> Floats:
    if values.dtype == np.float32:
        return np.asarray(values)
    return (values.astype(np.uint32) << np.uint32(16)).view(np.float32)
