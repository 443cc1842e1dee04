"""Pieces that several pages are made of: empty states, error boxes, cards of items."""

import html
import re
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
import streamlit as st

from app import routes, state, url
from pipeline.core.columns import ITEM_ID
from pipeline.core.text import category, number, usd
from pipeline.figures.theme import PALETTES
from pipeline.models.registry import KINDS
from pipeline.training.train import trained

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
_SWATCHES = {
    "beige": "#D9C7A3", "black": "#2A2A2A", "blue": "#3B6FB6", "brown": "#7A5234", "burgundy": "#7B1E3A",
    "gray": "#8D9299", "green": "#4F8A4C", "grey": "#8D9299", "navy": "#22335B", "navy blue": "#22335B",
    "olive": "#7C7A3A", "pink": "#E8A3B8", "red": "#C2352F", "violet": "#7A5AA6", "white": "#F4F4F2", "yellow": "#E3C34B",
    "many-coloured": "linear-gradient(135deg,#C2352F,#D9C7A3,#3B6FB6)",
}  # fmt: skip


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


def heading(question: str, about: str) -> None:
    """Head a page with the question that it answers."""
    st.title(question)
    st.caption(about)


def choose_model() -> None:
    """Let a page speak of another model that is trained and makes vectors, where there are several."""
    able = [name for name in trained(state.workspace()) if KINDS[name].has_vectors]
    if len(able) < 2:
        return
    shown = url.segments("model", state.usual_model(), url.one_of(able))
    st.segmented_control("Model", able, format_func=lambda name: KINDS[name].title, required=True, **shown)


def plain(text: str) -> str:
    """Escape a text of somebody else, such as an item's name, so that Markdown shows it as it is."""
    return re.sub(r"([\\`*_{}\[\]()<>#+.!|$~:&-])", r"\\\1", text)


def empty(text: str, page: str | None = None, label: str = "") -> None:
    """Say what is missing and what to press, with a link to where that is."""
    with st.container(border=True):
        st.markdown(f":material/info: {text}")
        if page is not None:
            st.page_link(routes.page(page), label=label, icon=":material/arrow_forward:")


def names(catalogue: pl.DataFrame) -> dict[str, str]:
    """Give each item's name by its id as text: the id where it has none, and beside it where another has the same."""
    ids = catalogue[ITEM_ID].cast(pl.String)
    called = catalogue["name"].cast(pl.String) if "name" in catalogue.columns else ids
    shared = set(called.filter(called.is_duplicated()))  # Streamlit takes two options of one label for the same
    return {
        i: i if not name else f"{name} ({i})" if name in shared else name for i, name in zip(ids, called, strict=True)
    }


def table(lines: Sequence[Mapping[str, str]], about: Mapping[str, str], *, words: bool = False) -> None:
    """Draw a short table, numbers to the right or `words` to the left; `about` explains columns.

    Where it has no room for its columns, each line is a block with the columns beneath each other (`style.css`).
    A data frame costs a browser ten times as much, and scrolls sideways there.
    """
    names = list(dict.fromkeys(name for line in lines for name in line))
    head = [f"<th title='{html.escape(about.get(name, ''), quote=True)}'>{html.escape(name)}</th>" for name in names]
    rows = [
        [f"<td data-column='{html.escape(name, quote=True)}'>{html.escape(line.get(name, ''))}</td>" for name in names]
        for line in lines
    ]
    drawn = "".join(f"<tr>{''.join(cells)}</tr>" for cells in (head, *rows))
    kind = "road-table road-words" if words else "road-table"
    st.html(
        f"<div class='road-wide' role='region' aria-label='Table' tabindex='0'><table class='{kind}'>{drawn}</table></div>"
    )


def cards(items: Sequence[dict[str, Any]], mode: str, *, star: str | None = None, first: int | None = None) -> None:
    """Draw items as a row of cards that wraps; `star` marks the actual next click, `first` numbers them."""
    palette = PALETTES[mode]
    places = [None] * len(items) if first is None else range(first, first + len(items))
    drawn = "".join(_card(i, palette.session, star, place) for i, place in zip(items, places, strict=True))
    st.html(f"{_STYLE}<div class='road-cards'>{drawn}</div>")


def _card(item: dict[str, Any], gold: str, star: str | None, position: int | None) -> str:
    is_next = str(item["item_id"]) == star
    number = item.get("rank", position)
    border = f"border-color:{gold};box-shadow:0 0 0 1px {gold};" if is_next else ""
    label = f"<b style='color:{gold}'>★ the actual next click</b>" if is_next else ""
    facts = [category(item["category"]) if "category" in item else "unknown to the model"]
    facts += [usd(item["price"])] if type(item.get("price")) in (int, float) else []
    facts += [f"score {item['score']:.2f}"] if isinstance(item.get("score"), float) else []
    name = html.escape(str(item.get("name") or item["item_id"]))
    return (
        f"<div class='road-card' style='{border}'><div class='road-top'><span class='road-rank'>{number or ''}</span>"
        f"{_picture(item)}</div><div class='road-name'>{name}</div>"
        f"<div class='road-facts'>{html.escape(' · '.join(filter(None, facts)))}</div>{label}</div>"
    )


def _picture(item: dict[str, Any]) -> str:
    image = str(item.get("image_url") or "")
    if image.startswith(("https://", "http://")):
        return f"<img src='{html.escape(image, quote=True)}' alt='' class='road-swatch'>"
    colour = _SWATCHES.get(str(item.get("colour")), "")
    return f"<span class='road-swatch' style='background:{colour}'></span>" if colour else ""


_STYLE = """<style>
.road-cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:.7rem}
.road-card{border:1px solid rgba(128,140,155,.35);border-radius:.6rem;padding:.7rem;font-size:.86rem;line-height:1.35}
.road-top{display:flex;justify-content:space-between;align-items:center;min-height:1.9rem}
.road-rank{font-weight:600;opacity:.65}
.road-swatch{width:1.8rem;height:1.8rem;border-radius:.4rem;border:1px solid rgba(128,140,155,.4)}
.road-name{font-weight:600;margin-top:.3rem}
.road-facts{opacity:.72;font-variant-numeric:tabular-nums}
</style>"""
