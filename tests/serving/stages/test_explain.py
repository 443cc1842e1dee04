"""The reasons that are told are the features that lie farthest from the others', by a plain reading in float64."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.models.dlrm.pairs import CONTINUOUS
from pipeline.serving.stages.explain import reasons

VALUES = st.integers(1, 6).flatmap(
    lambda k: arrays(np.float32, (k, len(CONTINUOUS)), elements=st.sampled_from([0.0, 1.0, 2.5, -3.0, 1e6, 2.0**-20]))
)


@given(VALUES, st.data())
def test_reasons_are_the_farthest_from_the_mean_of_the_candidates(values: np.ndarray, data: st.DataObject) -> None:
    count = len(values)
    kept = np.array(data.draw(st.lists(st.booleans(), min_size=count, max_size=count).filter(any)))
    candidate = int(data.draw(st.sampled_from(np.flatnonzero(kept).tolist())))
    found = reasons(values, kept, candidate)
    apart = {}
    for n, name in enumerate(CONTINUOUS):
        column = [float(row[n]) for row, there in zip(values, kept, strict=True) if there]
        mean = sum(column) / len(column)
        spread = (sum((value - mean) ** 2 for value in column) / len(column)) ** 0.5
        if len(set(column)) > 1:
            apart[name] = (float(values[candidate, n]) - mean) / spread
    assert {one.feature for one in found} <= set(apart)
    assert len(found) == min(4, len(apart))
    for one in found:
        assert np.isclose(one.apart, apart[one.feature], rtol=1e-6, atol=1e-9)
    least = min((abs(one.apart) for one in found), default=0.0)
    left_out = [abs(value) for name, value in apart.items() if name not in {one.feature for one in found}]
    assert all(value <= least + 1e-9 for value in left_out)
    assert all(np.isfinite([one.value, one.mean, one.apart]).all() for one in found)
