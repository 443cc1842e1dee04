"""Stage 'features': the offline tables of the feature store, items and sessions, as Parquet.

items.parquet       a row an item, as of the end of training
sessions/*.parquet  a row for each time at which a session clicked: `train` and `test`
"""

from dataclasses import dataclass
from pathlib import Path

from pipeline.core.progress import Progress, silent
from pipeline.serving.features.tables import common_categories, item_table, session_table
from pipeline.sessions import preprocess
from pipeline.store.parquet import write_tables
from pipeline.store.stage import Done, Metrics, need, run_stage
from pipeline.store.workspace import Workspace

STAGE = "features"
ITEMS, SESSIONS = "items.parquet", "sessions"
WAY = "run `features apply`."


@dataclass(frozen=True)
class FeaturesConfig:
    """Nothing can be chosen: what a ranker learned from is what it has to be given."""


def features(workspace: Workspace, progress: Progress = silent) -> Done:
    """Compute the features of every item and of every session, at each of its clicks."""

    def body(folder: Path, report: Progress) -> Metrics:
        catalogue = preprocess.load_catalogue(workspace)
        categories = common_categories(catalogue)
        (folder / SESSIONS).mkdir()
        rows = {}
        for step, part in enumerate(("train", "test")):
            report(step, 3, f"features of the {part} sessions")
            slices = preprocess.part_slices(workspace, part)
            tables = (session_table(clicks, catalogue, categories).to_arrow() for clicks in slices)
            rows[part] = write_tables(folder / SESSIONS / f"{part}.parquet", tables)
        report(2, 3, "features of the items")
        items = item_table(preprocess.load_part(workspace, "train"), catalogue)
        items.write_parquet(folder / ITEMS)
        named = dict(zip(catalogue["category_idx"], catalogue["category"], strict=True))
        return {
            "items": items.height,
            "train_rows": rows["train"],
            "test_rows": rows["test"],
            "shares": [str(named.get(code, code)) for code in categories],
        }

    return run_stage(workspace, STAGE, FeaturesConfig(), body, inputs=[preprocess.STAGE], progress=progress)


def features_key(workspace: Workspace) -> str:
    """Give the key of the features as they are; raise UserError where there are none."""
    return str(need(workspace, STAGE, WAY)["key"])
