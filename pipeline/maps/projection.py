"""Stage 'maps/MODEL': the item vectors laid out in two dimensions with UMAP, so that a person can look at them."""

from pathlib import Path

import polars as pl
from pydantic import Field

from pipeline.core.columns import ITEM_ID
from pipeline.core.errors import UserError
from pipeline.core.options import Options
from pipeline.core.progress import Progress, silent
from pipeline.search.exact.neighbors import neighbors
from pipeline.store.stage import Done, Metrics, run_stage
from pipeline.store.workspace import Workspace
from pipeline.vectors.embed import load_vectors, vectors_stage

FEWEST = 5  # UMAP's spectral start needs more items than this
MOST_EXACT = 30_000


class MapConfig(Options):
    """How UMAP lays the items out."""

    n_neighbors: int = Field(
        default=15,
        ge=2,
        le=200,
        description="How many neighbours of each item are kept together; small shows detail, large the whole.",
    )
    min_dist: float = Field(default=0.1, ge=0, lt=1, description="How close points may lie (0 to 1).")
    seed: int = Field(default=42, description="Of the layout; the same seed gives the same map.")


def map_stage(model: str) -> str:
    """Name the stage that holds the map of a model's items."""
    return f"maps/{model}"


def project(workspace: Workspace, model: str, config: MapConfig, progress: Progress = silent) -> Done:
    """Lay out a model's item vectors with UMAP by cosine; write items.parquet (item_id, x, y)."""

    def body(folder: Path, report: Progress) -> Metrics:
        ids, vectors = load_vectors(workspace, model, "items")
        if len(ids) <= FEWEST:
            raise UserError(f"A map needs more than {FEWEST} items, and the model knows {len(ids)}: add more clicks.")
        report(0, 3, "loading UMAP")
        from umap import UMAP

        nearest = min(config.n_neighbors, len(ids) - 1)
        # UMAP's own search first compiles for some 20 s; up to this size comparing all with all is quicker, and exact
        known = {"precomputed_knn": neighbors(vectors, nearest)} if len(ids) <= MOST_EXACT else {}
        report(1, 3, f"laying out {len(ids):,} items")
        layout = UMAP(
            n_neighbors=nearest, min_dist=config.min_dist, metric="cosine", random_state=config.seed, n_jobs=1, **known
        )
        points = layout.fit_transform(vectors)
        pl.DataFrame({ITEM_ID: ids, "x": points[:, 0], "y": points[:, 1]}).write_parquet(folder / "items.parquet")
        return {"items": len(ids), "n_neighbors": nearest}

    return run_stage(
        workspace,
        map_stage(model),
        config,
        body,
        inputs=[vectors_stage(model)],
        packages=["umap-learn"],
        revision=2,
        progress=progress,
    )
