"""Print the seconds that each baseline takes to fit and to rank, on some 500,000 made-up clicks (goal: 60 s each)."""

import os
import platform
import sys
import tempfile

from pipeline.clicks import ClickSource
from pipeline.clicks.ingest import ingest
from pipeline.evaluation.evaluate import evaluate
from pipeline.models.registry import baselines
from pipeline.sessions.config import PreprocessConfig
from pipeline.sessions.preprocess import preprocess
from pipeline.store.workspace import Workspace
from pipeline.training.train import train

CLICKS = "synthetic:140000"


def main() -> None:
    """Measure and print; another source of clicks may be named."""
    source = sys.argv[1] if len(sys.argv) > 1 else CLICKS
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace.open(folder)
        clicks = ingest(workspace, ClickSource(source)).manifest["metrics"]["clicks"]
        items = preprocess(workspace, PreprocessConfig()).manifest["metrics"]["items"]
        print(f"{platform.machine()}, {os.cpu_count()} cores: {clicks:,} clicks on {items:,} items")
        for name in baselines():
            fit, ranked = train(workspace, name, {}), evaluate(workspace, name)
            found = ranked.manifest["metrics"]
            print(
                f"{name:<10} fit {fit.seconds:5.1f} s   rank {found['examples']:,} next clicks {ranked.seconds:5.1f} s"
                f"   recall@20 {found['recall@20']:.3f}   mrr@20 {found['mrr@20']:.3f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
