"""Tables that figures are drawn of, and the figures."""

import plotly.graph_objects as go
import polars as pl

from pipeline.bench import published
from pipeline.figures import charts
from pipeline.figures import models as modelcharts

EVALUATION = {
    "popularity": {"recall@10": 0.1, "recall@20": 0.2, "mrr@20": 0.05, "ndcg@20": 0.08},
    "two_tower": {"recall@10": 0.3, "recall@20": 0.5, "mrr@20": 0.15, "ndcg@20": 0.2},
}
BOUNDS = {
    "two_tower": {"recall@20": (0.45, 0.56), "mrr@20": (0.14, 0.16)},
    "popularity": {"recall@20": (0.18, 0.22)},
}
TITLES = {"two_tower": "Two-tower", "popularity": "Popularity"}
POINTS = [
    {"step": 1, "loss": 6.0},
    {"step": 2, "loss": 5.0},
    {"step": 2, "validation_recall@20": 0.31},
    {"step": 4, "validation_recall@20": 0.42},
]
CURVES = {"session-1": POINTS, "session-2": [{"step": 2, "loss": 5.5}, {"step": 2, "validation_recall@20": 0.4}]}
ITEMS = pl.DataFrame(
    {
        "item_id": ["a", "b", "c"],
        "x": [0.0, 1.0, 2.0],
        "y": [0.0, 1.0, 0.0],
        "category": ["1", "1", "2"],
        "name": ["A", "B", "C"],
    }
)
SLICES = pl.DataFrame(
    {
        "model": ["two_tower", "two_tower", "popularity", "popularity"],
        "part": ["1 click", "2", "1 click", "2"],
        "examples": [100, 50, 100, 50],
        "mean": [0.4, 0.6, 0.2, 0.1],
        "low": [0.35, 0.5, 0.15, 0.05],
        "high": [0.45, 0.7, 0.25, 0.15],
    }
)
BUILT = [
    {
        "name": "a-hnsw",
        "index": "HNSW",
        "recall@10": 0.99,
        "p50_ms": 3.0,
        "p50_ms_low": 2.9,
        "p50_ms_high": 3.2,
        "device": "cpu",
    },
    {"name": "a-ivf", "index": "IVF_FLAT", "recall@10": 0.9, "p50_ms": 2.0, "device": "cpu"},
    {
        "name": "a-cagra",
        "index": "GPU_CAGRA",
        "recall@10": 0.96,
        "p50_ms": 2.5,
        "p50_ms_low": 2.4,
        "p50_ms_high": 2.6,
        "device": "gpu",
    },
]


def figures(mode: str) -> dict[str, go.Figure]:
    return {
        "training": modelcharts.training(POINTS, mode),
        "trainings": modelcharts.trainings(CURVES, mode),
        "evaluation": modelcharts.evaluation(EVALUATION, BOUNDS, TITLES, ["popularity"], mode),
        "slices": modelcharts.slices(SLICES, TITLES, ["popularity"], mode, "recall@20", "session length"),
        "map": charts.item_map(ITEMS, mode, path=["a", "c"], found=["b"]),
        "histogram": charts.histogram(pl.DataFrame({"value": [1, 2], "count": [3, 4]}), mode, "Half", "clicks", "n"),
        "tail": charts.long_tail(pl.Series([90, 5, 3, 2]), mode),
        "published": charts.published_devices(published.best_qps(0.95), 0.95, mode),
        "quality": charts.index_quality(BUILT, mode),
    }
