"""Print how the session encoder's defaults do beside their neighbours, on sessions of the training part alone.

`python -m tests.benchmarks.defaults WORKSPACE …`: each workspace's training sessions that end last, 10 %, are held out;
a model is trained on the others with each setting and ranks their next clicks over the whole catalogue. The test part
is not looked at: that is how defaults are chosen for data that nobody has seen. The last lines are means over the
workspaces, relative to the defaults.
"""

import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.metrics.ranking import ranking_figures
from pipeline.models.contract import TrainingInput
from pipeline.models.session import model
from pipeline.models.session.encoder import SessionEncoder
from pipeline.models.session.examples import TrainingExamples
from pipeline.models.session.passes import SessionConfig
from pipeline.sessions import preprocess
from pipeline.sessions.histories import hold_out
from pipeline.store.workspace import Workspace

SCALES = (-1.0, 0.0, 1.0)  # added to the usual scale
OTHERS: list[dict[str, Any]] = [
    {"learning_rate": 0.003}, {"learning_rate": 0.008}, {"dropout": 0.1}, {"dropout": 0.3},
    {"finish": 2}, {"finish": 4}, {"dim": 64}, {"dim": 128}, {"batch_size": 1024},
]  # fmt: skip
MEASURES = ("recall@20", "mrr@20", "ndcg@20")


def figures(clicks: pl.DataFrame, catalogue: pl.DataFrame, config: SessionConfig) -> dict[str, float]:
    """Train on all but the sessions that end last, and measure on these."""
    fitting, held = hold_out(clicks)
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        model.train(TrainingInput(base, fitting, catalogue, config.replace(budget=1000.0)))
        encoder = SessionEncoder.load(base / "encoder.npz")
    asked = TrainingExamples.of(held)
    found = ranking_figures(lambda rows: encoder.score(asked.histories.take(rows)), asked.targets, len(encoder.vectors))
    return {name: found[name] for name in MEASURES}


def settings(items: int) -> dict[str, SessionConfig]:
    """Name the defaults and what differs from them in one thing."""
    usual = model.usual_scale(items)
    named = {f"scale {more:+.0f}" if more else "defaults": SessionConfig(scale=usual + more) for more in SCALES}
    for other in OTHERS:
        named[" ".join(f"{k} {v}" for k, v in other.items())] = SessionConfig(**other)
    return dict(sorted(named.items(), key=lambda entry: entry[0] != "defaults"))


def main(workspaces: list[str]) -> None:
    relative: dict[str, list[float]] = {}
    for path in workspaces:
        workspace = Workspace.open(Path(path))
        clicks, catalogue = preprocess.load_part(workspace, "train"), preprocess.load_catalogue(workspace)
        print(f"{path}: {clicks.height:,} training clicks, {catalogue.height:,} items", flush=True)
        best = 0.0
        for name, config in settings(catalogue.height).items():
            found = figures(clicks, catalogue, config)
            best = best or found["ndcg@20"]
            relative.setdefault(name, []).append(found["ndcg@20"] / best - 1)
            shown = "   ".join(f"{measure} {value:.4f}" for measure, value in found.items())
            print(f"{name:<22} {shown}   {relative[name][-1]:+.2%}", flush=True)
    print("mean difference in ndcg@20 from the defaults:")
    for name, differences in relative.items():
        print(f"{name:<22} {statistics.mean(differences):+.2%}")


if __name__ == "__main__":
    main(sys.argv[1:])
