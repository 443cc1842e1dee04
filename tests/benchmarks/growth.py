"""Print what going on costs against training anew, and how well items that nobody clicked are found, in one run.

`python -m tests.benchmarks.growth [WORKSPACE]`, whose sessions are made before; by default workspace/. The training
sessions that end last, 10 %, are the new day; both models are measured on the test sessions, which are later still. For
the items, every tenth is taken out of the training and has a vector by what is known of it; its rank is among all.
"""

import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from pipeline.core.columns import FIRST_IDX, ITEM_IDX
from pipeline.metrics.ranking import ranking_figures
from pipeline.models.contract import TrainingInput
from pipeline.models.session import model
from pipeline.models.session.encoder import SessionEncoder
from pipeline.models.session.examples import TrainingExamples
from pipeline.models.session.growth import vectors_of
from pipeline.models.session.passes import SessionConfig
from pipeline.sessions import preprocess
from pipeline.sessions.histories import hold_out
from pipeline.store.workspace import Workspace


def _train(folder: Path, clicks: pl.DataFrame, catalogue: pl.DataFrame, config: SessionConfig, before: Path) -> float:
    folder.mkdir()
    catalogue.write_parquet(folder / "items.parquet")
    begin = time.perf_counter()
    model.train(TrainingInput(folder, clicks, catalogue, config, before=before))
    return time.perf_counter() - begin


def _measure(name: str, folder: Path, test: TrainingExamples, seconds: float | None = None) -> None:
    encoder = SessionEncoder.load(folder / "encoder.npz")
    found = ranking_figures(lambda rows: encoder.score(test.histories.take(rows)), test.targets, len(encoder.vectors))
    took = "" if seconds is None else f"   {seconds:6.1f} s of training"
    print(f"{name:<34} HR@20 {found['recall@20']:.4f}   MRR@20 {found['mrr@20']:.4f}{took}")


def _later_day(base: Path, clicks: pl.DataFrame, catalogue: pl.DataFrame, test: TrainingExamples) -> None:
    config = SessionConfig()
    until, _ = hold_out(clicks)
    _train(base / "before", until, catalogue, config, base)
    _measure("before the day", base / "before", test)
    seconds = _train(base / "on", clicks, catalogue, config.replace(go_on=True), base / "before")
    _measure("going on with the day", base / "on", test, seconds)
    seconds = _train(base / "anew", clicks, catalogue, config, base)
    _measure("trained anew with the day", base / "anew", test, seconds)


def _new_items(base: Path, clicks: pl.DataFrame, catalogue: pl.DataFrame, test: TrainingExamples) -> None:
    new = np.arange(catalogue.height) % 10 == 9
    place = np.cumsum(~new) - 1
    left = clicks.filter(~pl.Series(new[clicks[ITEM_IDX].to_numpy() - FIRST_IDX]))
    codes = pl.Series(place[left[ITEM_IDX].to_numpy() - FIRST_IDX] + FIRST_IDX)
    known = catalogue.filter(~pl.Series(new))
    known = known.with_columns(pl.Series(ITEM_IDX, np.arange(known.height) + FIRST_IDX))
    _train(base / "without", left.with_columns(codes.alias(ITEM_IDX)), known, SessionConfig(), base)
    encoder = SessionEncoder.load(base / "without" / "encoder.npz")
    described, _ = vectors_of(base / "without", catalogue.filter(pl.Series(new)))
    items = test.histories.items - FIRST_IDX
    history_known = ~new[items]  # clicks on new items are left out of the histories, as anywhere
    rank = np.concatenate([[0], np.cumsum(history_known)])
    histories = replace(
        test.histories,
        items=place[items[history_known]] + FIRST_IDX,
        categories=test.histories.categories[history_known],
        low=rank[test.histories.low],
        end=rank[test.histories.end],
    )
    vectors = np.zeros((catalogue.height, encoder.vectors.shape[1]), np.float32)
    vectors[~new] = encoder.vectors
    asked = np.flatnonzero(new[test.targets] & (histories.end > histories.low))
    for name, of_new in (("new items, by what is known of them", described), ("new items, without a vector", None)):
        if of_new is not None:
            vectors[new] = of_new
        else:
            vectors[new] = 0
        table = vectors.copy()
        found = ranking_figures(
            lambda rows, table=table: encoder.encode(histories.take(asked[rows])) @ table.T,  # type: ignore[misc]
            test.targets[asked],
            len(table),
        )
        print(f"{name:<34} HR@20 {found['recall@20']:.4f}   MRR@20 {found['mrr@20']:.4f}   {len(asked):,} next clicks")


def main() -> None:
    workspace = Workspace.open(sys.argv[1] if len(sys.argv) > 1 else "workspace")
    clicks, catalogue = preprocess.load_part(workspace, "train"), preprocess.load_catalogue(workspace)
    test = TrainingExamples.of(preprocess.load_part(workspace, "test"))
    print(f"{workspace.root}: {catalogue.height:,} items, {len(test):,} next clicks tested")
    with tempfile.TemporaryDirectory() as base:
        _new_items(Path(base), clicks, catalogue, test)
        _later_day(Path(base), clicks, catalogue, test)


if __name__ == "__main__":
    main()
