"""What all clients measured, slice by slice of the time, as figures with how far they may be off."""

from collections.abc import Sequence

import numpy as np
from hdrh.histogram import HdrHistogram

from pipeline.bench.load.messages import DIGITS, HIGHEST_US, LOWEST_US
from pipeline.core.spread import Spread, of_slices, percentile_of_slices

_PERCENTILES = {"p50_ms": 50, "p95_ms": 95, "p99_ms": 99}


def latency_percentiles(reports: Sequence[Sequence[bytes]]) -> dict[str, Spread]:
    """Give p50_ms, p95_ms and p99_ms of what each client counted in each slice, encoded histograms."""
    merged = []
    for slices in zip(*reports, strict=True):
        whole = HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS)
        for encoded in slices:
            whole.decode_and_add(encoded)
        merged.append(whole)
    counts = np.array([np.ctypeslib.as_array(whole.counts) for whole in merged], np.float64)
    seen = np.flatnonzero(counts.any(axis=0))
    one = merged[0]
    values = np.array([one.get_highest_equivalent_value(one.get_value_from_index(int(n))) / 1e3 for n in seen])
    return {name: percentile_of_slices(values, counts[:, seen], percent) for name, percent in _PERCENTILES.items()}


def rate(qps: float, answered: Sequence[int]) -> dict[str, Spread]:
    """Give the spread of `qps` by how many queries each slice answered; nothing where it may as well be none."""
    found = of_slices(answered)
    if found.low <= 0:
        return {}
    scale = qps / found.value
    return {"qps": Spread(qps, found.low * scale, found.high * scale, found.count)}
