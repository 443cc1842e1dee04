"""The adviser beside the figure: what is wanted, and the cheapest measured setting that has it, in sentences."""

from typing import Any

import polars as pl
import streamlit as st

from app import url
from app.benchmark import use_setting
from app.benchmark.data import TARGET
from app.parts import costs, terms
from pipeline.bench.analysis.advise import Advice, Wish, advise
from pipeline.bench.analysis.cost import with_cost
from pipeline.bench.analysis.settings import label
from pipeline.bench.quality import told
from pipeline.core.text import number, usd

_TERMS = " ".join(f"{name}: {terms.TERMS[name]}" for name in ("QPS", "recall", "p99"))
_MOST = 1e12  # of any wish: more digits than a number box holds
_WISHES = (
    ("p99", "p99 at most (ms)", "99 of 100 requests are answered within this time."),
    ("qps", "Queries a second", "For all instances together; sets how many are needed."),
    ("memory", "Memory at most (MB)", "Of one instance."),
    ("budget", "A month at most ($)", "Of all instances together."),
)


def wish() -> Wish:
    """Draw what can be wanted; the URL keeps it."""
    recall = st.number_input(
        "I need recall of at least", 0.0, 1.0, step=0.01, format="%.3f",
        help="Share of the exact nearest neighbours that are found.",
        **url.bound("recall", TARGET, url.real(0.0, 1.0)),
    )  # fmt: skip
    chosen = {}
    columns = st.columns(2)
    for n, (name, title, about) in enumerate(_WISHES):
        shown = url.bound(name, None, url.real(0.0, _MOST))
        value = columns[n % 2].number_input(title, 0.0, _MOST, help=about, placeholder="any", **shown)
        chosen[name] = value or None
    return Wish(recall, chosen["p99"], chosen["memory"], chosen["budget"], chosen["qps"])


def priced(settings: pl.DataFrame, wanted: Wish) -> pl.DataFrame:
    """Add what settings cost by the prices that the page's URL names; cores are the run's unless others are chosen."""
    price, _ = costs.chosen()
    return with_cost(settings, price, wanted.qps, costs.cores())


@st.cache_data(max_entries=60, show_spinner=False)
def advised(settings: pl.DataFrame, wanted: Wish) -> Advice:
    """Advise, once for the same settings and wish."""
    return advise(settings, wanted)


def show(settings: pl.DataFrame, wanted: Wish) -> None:
    """Say what to choose, why, and what else there is; `settings` with their cost."""
    found = advised(settings, wanted)
    if found.best is None:
        for sentence in found.why:
            st.markdown(dollars(sentence))
        return
    st.markdown(f"## → {label(found.best)}  \n{_figures(found.best)}", help=_TERMS)
    plain = f"It answers {number(found.best['qps'])} queries per second and finds {100 * found.best['recall']:.1f} of 100 exact neighbours."
    for sentence in filter(None, [plain, *found.why, told(found.best)]):
        st.caption(dollars(sentence))
    price, _ = costs.chosen()
    gpu = found.best["device"] == "gpu"
    what = "a whole one with a GPU" if gpu else "the index's memory and the cores"
    source = costs.origin(price, "gpu" if gpu else "cpu")
    st.caption(f"An instance is {what}. Prices: “{price.name}”, {source}; change them under Cost.")
    use_setting.offer(found.best, "best")
    for row, why in found.alternatives:
        st.markdown(dollars(f"**{label(row)}**  \n{why}"))


def _figures(best: dict[str, Any]) -> str:
    shown = [f"**{number(best['qps'])}** QPS", f"recall **{best['recall']:.3f}**"]
    shown += [f"p99 **{number(best['p99_ms'])}** ms"] if best["p99_ms"] is not None else []
    shown += [f"**{usd(best['usd_month'])}** a month"] if best["usd_month"] is not None else []
    return dollars(" · ".join(shown))


def dollars(text: str) -> str:
    """Keep Markdown from taking two dollar signs for a formula."""
    return text.replace("$", "\\$")
