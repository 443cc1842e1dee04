"""Print how fast the session encoder trains, against what the matrix products alone allow, in one run.

Made-up sessions of the size of YOOCHOOSE 1/64: 369,859 next clicks, 17,376 items, dim 100. The bound is the time of
three products a batch – logits, their gradients to the sessions and to the items – each with the faster of TensorFlow's
product and numpy's; products and training take turns, and the ratio is the median of the turns. A row is a history and
all that follows it, so there are more examples than rows.
"""

import itertools
import os
import platform
import statistics
import time
from collections.abc import Callable

import numpy as np
import polars as pl

from pipeline.clicks.made_up import synthetic
from pipeline.core.columns import CATEGORY_IDX, FIRST_IDX, ITEM_ID, ITEM_IDX, SESSION_ID
from pipeline.models.session.examples import TrainingExamples
from pipeline.models.session.network import NOTHING, Network
from pipeline.models.session.passes import SessionConfig

SESSIONS, EXAMPLES, ITEMS = 240_000, 369_859, 17_376
BATCHES, ROUNDS, STEPS = (512, 1024), 9, 4


def examples() -> TrainingExamples:
    """Make sessions up, and keep those of the most clicked items."""
    clicks, _, _ = synthetic.read(f"synthetic:{SESSIONS}")
    often = clicks[ITEM_ID].value_counts(sort=True).head(ITEMS).with_row_index(ITEM_IDX, offset=FIRST_IDX)
    clicks = clicks.join(often.drop("count"), on=ITEM_ID, maintain_order="left")
    first = clicks.select(SESSION_ID, ITEM_IDX, pl.lit(FIRST_IDX).alias(CATEGORY_IDX)).filter(
        (pl.col(SESSION_ID) == pl.col(SESSION_ID).shift(1)).fill_null(False).cum_sum() < EXAMPLES
    )
    return TrainingExamples.of(first).merged()


def products(batch: int, dim: int) -> list[tuple[str, Callable[[], object]]]:
    """Give the three products of one batch, by TensorFlow and by numpy."""
    import tensorflow as tf

    random = np.random.default_rng(1)
    sessions, items, logits = (
        random.normal(size=shape).astype(np.float32) for shape in ((batch, dim), (ITEMS, dim), (batch, ITEMS))
    )
    s, v, e = (tf.constant(a) for a in (sessions, items, logits))

    @tf.function
    def three() -> object:
        one, two = tf.matmul(s, v, transpose_b=True), tf.matmul(e, v)
        return one[0, 0] + two[0, 0] + tf.matmul(e, s, transpose_a=True)[0, 0]

    return [
        ("TensorFlow", lambda: float(three())),
        ("numpy", lambda: [sessions @ items.T, logits @ items, logits.T @ sessions]),
    ]


def _seconds(work: Callable[[], object], times: int) -> float:
    begin = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - begin) / times


def main() -> None:
    config, found = SessionConfig(), examples()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"{len(found.targets):,} next clicks of {len(found):,} histories, {ITEMS:,} items, dim {config.dim}")
    for batch in BATCHES:
        _compare(config, found, batch)


def _compare(config: SessionConfig, found: TrainingExamples, batch: int) -> None:
    network = Network(np.ones(ITEMS, np.int64), config.dim, NOTHING, 12.0, config.dropout, 1)
    order, steps = np.random.default_rng(1).permutation(len(found)), itertools.count()

    def train() -> None:
        step = next(steps)
        begin = step * batch % (len(found) - batch)
        float(network.train(found.batch(order[begin : begin + batch], step), 0.001))

    ways = products(batch, config.dim)
    for work in (train, *(work for _, work in ways)):
        _seconds(work, 3)
    turns = []
    for _ in range(ROUNDS):
        bound = {name: _seconds(work, STEPS) for name, work in ways}
        turns.append((bound, _seconds(train, STEPS)))
    flops = 6.0 * batch * ITEMS * config.dim
    for name, _ in ways:
        speed = statistics.median(flops / bound[name] for bound, _ in turns) / 1e9
        print(f"batch {batch:>5}  sgemm, {name:<11} {speed:6.1f} GFLOP/s")
    limit = statistics.median(batch / min(bound.values()) for bound, _ in turns)
    rows = statistics.median(batch / seconds for _, seconds in turns)
    ratio = statistics.median(min(bound.values()) / seconds for bound, seconds in turns)
    each = len(found.targets) / len(found)
    print(f"batch {batch:>5}  {rows:,.0f} rows/s, {ratio:.0%} of the {limit:,.0f} that the products alone allow")
    print(f"batch {batch:>5}  {rows * each:,.0f} examples/s, {ratio * each:.0%}")


if __name__ == "__main__":
    main()
