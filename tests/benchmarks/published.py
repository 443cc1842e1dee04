"""Print how fast the published two-tower trains here and in Merlin Models as the notebooks configure it.

`python -m tests.benchmarks.published [SESSIONS]`: made-up clicks of a million sessions on 49,008 items, one pass by
each over the same rows in the same shuffled order, from the same weights; throughput is the median of batches after the
first 50, the losses those of clicks that were held out: other clicks of the same sessions, and clicks of new ones. All
of these have the one vector of a session that is not known, so that their loss differs by 5 % and more between seeds or
orders. Then the published size – 7,305,761 sessions, 26 million clicks – in a process of its own: its peak memory, and
what an epoch would take at the pace of its first minute.
"""

import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.core.columns import FIRST_IDX, OUT_OF_VOCABULARY
from pipeline.core.text import duration
from pipeline.models.lazy_adam import Schedule
from pipeline.models.two_tower_published.model import AGES
from pipeline.models.two_tower_published.network import ClickRows, PublishedNetwork
from tests.models import merlin_published

SESSIONS, ITEMS, CATEGORIES, GROUPS, CLICKS = 1_000_000, 49_008, 340, 600, 3.6
PUBLISHED_SESSIONS, FULL_S = 7_305_761, 60.0
BATCH, WARM = 1024, 50
GOAL, LOSS_GOAL, MEMORY_GOAL = 8.0, 0.01, 8e9


def clicks(sessions: int, seed: int, known: bool = True) -> ClickRows:
    """Make sessions up that stay in a group of items, some of which are clicked far more often than others."""
    random = np.random.default_rng(seed)
    lengths = 1 + random.geometric(1 / (CLICKS - 1), sessions).astype(np.int32)
    session = np.repeat(np.arange(sessions, dtype=np.int32), lengths)
    place = (random.power(0.25, len(session)) * (ITEMS // GROUPS)).astype(np.int32)
    item = random.integers(GROUPS, size=sessions, dtype=np.int32)[session] + GROUPS * place
    age = random.integers(AGES, size=sessions, dtype=np.int32)[session]
    code = session + FIRST_IDX if known else np.full_like(session, OUT_OF_VOCABULARY)
    return ClickRows(code, age + FIRST_IDX, item + FIRST_IDX, item % CATEGORIES + FIRST_IDX)


def sizes(sessions: int) -> dict[str, int]:
    """Give the rows of each table."""
    counts = {"session": sessions, "age": AGES, "item": ITEMS, "category": CATEGORIES}
    return {name: count + FIRST_IDX for name, count in counts.items()}


def ours(rows: ClickRows, held: list[ClickRows], sessions: int, model: Any) -> tuple[float, list[float]]:
    """Train one pass from the first weights of a Merlin model; give examples/s and the losses of what was held out."""
    steps = -(-len(rows) // BATCH)
    network = PublishedNetwork(sizes(sessions), Schedule(0.001, steps), 1)
    merlin_published.copy_weights(model, network)
    took = []
    for begin in range(0, len(rows), BATCH):
        start = time.perf_counter()
        network.train(rows.take(slice(begin, begin + BATCH)))
        took.append(time.perf_counter() - start)
    losses = []
    for part in held:
        batches = (part.take(slice(begin, begin + BATCH)) for begin in range(0, len(part), BATCH))
        losses.append(float(np.mean([network.judge(one)[0] for one in batches])))
    return BATCH / statistics.median(took[WARM:]), losses


def merlins(train: Any, held: list[Any], model: Any) -> tuple[float, list[float]]:
    """Train one pass with Merlin Models; give examples/s and the losses of what was held out."""
    import merlin.models.tf as mm
    import tensorflow as tf

    ends: list[float] = []
    listener = tf.keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: ends.append(time.perf_counter())
    )
    model.fit(mm.Loader(train, batch_size=BATCH, shuffle=False), epochs=1, verbose=0, callbacks=[listener])
    loaders = (mm.Loader(part, batch_size=BATCH, shuffle=False) for part in held)
    losses = [float(model.evaluate(part, verbose=0, return_dict=True)["loss"]) for part in loaders]
    return BATCH / statistics.median(np.diff(ends[WARM:])), losses


def full() -> None:
    """Train for a minute at the published size; print the pace, the epoch that it comes to, and the peak memory."""
    rows = clicks(PUBLISHED_SESSIONS, 1)
    steps = -(-len(rows) // BATCH)
    network = PublishedNetwork(sizes(PUBLISHED_SESSIONS), Schedule(0.001, steps), 1)
    order = np.random.default_rng(1).permutation(len(rows)).astype(np.int32)
    begin, done = time.perf_counter(), 0
    while time.perf_counter() - begin < FULL_S and done < steps:
        network.train(rows.take(order[done * BATCH : (done + 1) * BATCH]))
        done += 1
    pace = done * BATCH / (time.perf_counter() - begin)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    missed = "" if peak <= MEMORY_GOAL else "  MISSED"
    print(
        f"{PUBLISHED_SESSIONS:,} sessions, {len(rows):,} clicks: {pace:,.0f} examples/s, an epoch would take "
        f"{duration(len(rows) / pace)} at that pace; peak {peak / 1e9:.1f} GB, goal {MEMORY_GOAL / 1e9:.0f}{missed}"
    )


def main(sessions: int) -> None:
    rows = clicks(sessions, 1)
    rows = rows.take(np.random.default_rng(1).permutation(len(rows)))
    new = clicks(max(sessions // 20, 1000), 2, known=False)
    cut = len(rows) - len(rows) // 50 // BATCH * BATCH
    rows, others = rows.take(slice(0, cut)), rows.take(slice(cut, None))
    held = {"other clicks of its sessions": others, "new sessions": new.take(slice(0, len(new) // BATCH * BATCH))}
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Merlin Models {version('merlin-models')}, TensorFlow "
        f"{version('tensorflow-cpu')}, {sessions:,} sessions, {len(rows):,} clicks, batch {BATCH}"
    )
    model = merlin_published.build(sizes(sessions))
    with tempfile.TemporaryDirectory() as folder:
        train, *parts = (
            merlin_published.dataset(part, Path(folder) / f"{number}.parquet", sizes(sessions))
            for number, part in enumerate((rows, *held.values()))
        )
        model.evaluate(parts[0], batch_size=BATCH, verbose=0)  # makes the weights, from which both begin
        first, _ = ours(rows, list(held.values()), sessions, model)
        second, losses = ours(rows, list(held.values()), sessions, model)
        theirs, their_losses = merlins(train, parts, model)
    ratio = (first + second) / 2 / theirs
    print(
        f"here {first:,.0f} and {second:,.0f} examples/s, Merlin Models {theirs:,.0f}: {ratio:.1f} times, "
        f"goal {GOAL:.0f}{'' if ratio >= GOAL else '  MISSED'}"
    )
    for name, loss, their_loss in zip(held, losses, their_losses, strict=True):
        apart = loss / their_loss - 1
        print(
            f"loss after one epoch, {name}: here {loss:.4f}, Merlin Models {their_loss:.4f}: {apart:+.2%}, "
            f"goal within {LOSS_GOAL:.0%}{'' if abs(apart) <= LOSS_GOAL else '  MISSED'}"
        )
    if sessions == SESSIONS:
        subprocess.run([sys.executable, "-m", "tests.benchmarks.published", "full"], check=True)


if __name__ == "__main__":
    if sys.argv[1:] == ["full"]:
        full()
    else:
        main(int(sys.argv[1]) if sys.argv[1:] else SESSIONS)
