"""Items as cards."""

import html
from collections.abc import Sequence
from typing import Any

import streamlit as st

from pipeline.core.text import category, usd
from pipeline.figures.theme import PALETTES

_SWATCHES = {
    "beige": "#D9C7A3", "black": "#2A2A2A", "blue": "#3B6FB6", "brown": "#7A5234", "burgundy": "#7B1E3A",
    "gray": "#8D9299", "green": "#4F8A4C", "grey": "#8D9299", "navy": "#22335B", "navy blue": "#22335B",
    "olive": "#7C7A3A", "pink": "#E8A3B8", "red": "#C2352F", "violet": "#7A5AA6", "white": "#F4F4F2", "yellow": "#E3C34B",
    "many-coloured": "linear-gradient(135deg,#C2352F,#D9C7A3,#3B6FB6)",
}  # fmt: skip


def show(items: Sequence[dict[str, Any]], mode: str, *, star: str | None = None, first: int | None = None) -> None:
    """Draw items as a row of cards that wraps; `star` marks the actual next click, `first` numbers them."""
    palette = PALETTES[mode]
    places = [None] * len(items) if first is None else range(first, first + len(items))
    drawn = "".join(_card(i, palette.session, star, place) for i, place in zip(items, places, strict=True))
    st.html(f"<div class='road-cards'>{drawn}</div>")


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
