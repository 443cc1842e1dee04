"""Names for the types of numpy's arrays, the same in every module."""

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]  # vectors, scores and distances as they are stored
Doubles = npt.NDArray[np.float64]  # what is summed or compared
Ints = npt.NDArray[np.int64]  # item_idx, offsets, counts
Rows = npt.NDArray[np.int64]  # rows of a table of vectors, -1 where there is none
Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[Any]  # of any type
