"""Terms of art in plain words, and names of items as people read them."""

import re
from collections.abc import Mapping
from typing import Any

import polars as pl

from pipeline.core.columns import ITEM_ID
from pipeline.core.text import number
from pipeline.models.registry import KINDS

TERMS = {
    "recall@20": "Share of next clicks that are among the 20 recommended items.",
    "mrr@20": "Mean of 1 / rank of the next click, 0 where it is not among the 20: high when it is ranked near the top.",
    "ndcg@20": "Like MRR, but lower ranks count for more: mean of 1 / log2(rank + 1).",
    "coverage@20": "Share of the catalogue that is recommended to anyone.",
    "QPS": "Queries per second that the server answered.",
    "recall": "Share of the exact nearest neighbours that the index finds.",
    "p99": "99 of 100 requests were answered within this time.",
    "session": "One visit to the shop: the items that somebody clicked, in order.",
    "vector": "The numbers a model describes an item or session with; similar ones are close together.",
}


def hits(recall: float) -> str:
    """Say in plain words what a recall@20 of next clicks is."""
    return f"{100 * recall:.0f} of 100 next clicks were among 20 suggestions"


def next_clicks(models: Mapping[str, Mapping[str, float]]) -> str:
    """Say in plain words what recall@20 the best of the measured models has."""
    best = max(models, key=lambda name: models[name]["recall@20"])
    title = KINDS[best].title if best in KINDS else best
    return f"{title}: {hits(models[best]['recall@20'])} (recall@20)."


def answers(row: Mapping[str, Any]) -> str:
    """Say in plain words what recall and QPS a measured setting has."""
    return (
        f"The fastest of these answers {number(row['qps'])} queries per second (QPS) and finds "
        f"{100 * row['recall']:.1f} of 100 exact nearest neighbours (recall)."
    )


def escaped(text: str) -> str:
    """Escape a text of somebody else, such as an item's name, so that Markdown shows it as it is."""
    return re.sub(r"([\\`*_{}\[\]()<>#+.!|$~:&-])", r"\\\1", text)


def names(catalogue: pl.DataFrame) -> dict[str, str]:
    """Give each item's name by its id as text: the id where it has none, and beside it where another has the same."""
    ids = catalogue[ITEM_ID].cast(pl.String)
    called = catalogue["name"].cast(pl.String) if "name" in catalogue.columns else ids
    shared = set(called.filter(called.is_duplicated()))  # Streamlit takes two options of one label for the same
    return {
        i: i if not name else f"{name} ({i})" if name in shared else name for i, name in zip(ids, called, strict=True)
    }
