"""Overview: the pipeline as a picture, and what to do next."""

import html
from typing import Any

import streamlit as st

from app import freshness, making, refused, routes, state, tray
from app.benchmark import news
from app.errors import errors
from app.parts import draw, layout, terms
from pipeline.evaluation.differences import certain
from pipeline.evaluation.evaluate import ALL_CLICKS, evaluations, intervals
from pipeline.figures import models as modelcharts
from pipeline.indexes.registry import index_stage
from pipeline.models.registry import KINDS, baselines
from pipeline.search.embedded.server import status
from pipeline.store.workspace import Workspace
from pipeline.workflow.overview import describe_stage

# box -> the stages that fill it, the page that it leads to
ROAD = (
    ("Clicks", "clicks", "data"),
    ("Sessions", "data", "data"),
    ("Model", "models", "train"),
    ("Vectors", "vectors", "train"),
    ("Index", "indexes", "index"),
    ("Map", "maps", "map"),
)
DEMO = ["run", "--clicks", "shop"]


def main() -> None:
    workspace = state.workspace()
    layout.heading(
        "How do clicks become recommendations?",
        "A real model and a real Milvus: each box is a stage of the pipeline, from left to right.",
    )
    missing = []
    for column, (title, name, page) in zip(st.columns(len(ROAD)), ROAD, strict=True):
        found = _stage(workspace, name)
        with column:
            _box(title, found, page, "being made" if making.maker(name) else "not there yet")
        missing += [title] if found is None else []
    _next(workspace, missing)
    _latest(workspace)


def _stage(workspace: Workspace, name: str) -> dict[str, Any] | None:
    model = state.model()
    if name == "models":
        return _model(workspace, model)
    if name in ("vectors", "maps"):
        name = f"{name}/{model}"
    if name != "indexes":
        return describe_stage(workspace, name)
    index = freshness.index_in_use(model)
    return None if index is None else describe_stage(workspace, index_stage(index["name"]))


def _model(workspace: Workspace, model: str) -> dict[str, Any] | None:
    """Describe a model by what it reaches, where it is measured as it is now."""
    found, measured = describe_stage(workspace, f"models/{model}"), evaluations(workspace).get(model)
    return found if found is None or measured is None else found | {"figure": terms.hits(measured["recall@20"])}


def _box(title: str, found: dict[str, Any] | None, page: str, absent: str) -> None:
    with st.container(border=True, height="stretch"):
        st.page_link(routes.page(page), label=f"**{title}**")
        if found is None:
            st.caption(absent)
            return
        mark = ":green[:material/check_circle:]" if found["state"] == "ready" else ":orange[:material/update:]"
        st.markdown(f"{mark} {html.escape(found['figure'])}")
        facts = [found["state"], found["size"] if found["bytes"] else "", found["age"]]
        st.caption(" · ".join(filter(None, facts)))


def _next(workspace: Workspace, missing: list[str]) -> None:
    server = status(workspace)
    where = f"at {server['uri']}" if server["state"] == "external" else f"(embedded, on the CPU) is {server['state']}"
    st.caption(f"Milvus {server.get('version') or ''} {where}.")
    if "warning" in server:
        st.warning(server["warning"], icon=":material/lock_open:")
    if running := tray.live():
        making.card(running[0], "overview")
    elif missing:
        layout.empty(f"Still missing: {', '.join(missing).lower()}. The demo builds them in about two minutes.")
        with refused.below("demo"):
            if st.button("Run the demo", type="primary", icon=":material/play_arrow:"):
                tray.launch(DEMO, "run on shop")
        _made_up()
    elif not freshness.notice(state.model()):
        st.page_link(
            routes.page("recommend"),
            label="**Everything is ready: see recommendations**",
            icon=":material/shopping_bag:",
        )
        if str((workspace.manifest("clicks") or {}).get("config", {}).get("clicks", "")).startswith("shop"):
            _made_up()


def _made_up() -> None:
    st.caption(
        "The shop and its visitors are made up. You can use real clicks instead: the e-shop, YOOCHOOSE or your own file."
    )
    st.page_link(routes.page("data"), label="Use real clicks", icon=":material/database:")


def _latest(workspace: Workspace) -> None:
    models = evaluations(workspace)
    points = state.table(f"models/{state.model()}", "curve.parquet")
    left, right = st.columns(2, gap="large")
    if models:
        titles = {name: kind.title for name, kind in KINDS.items()}
        sure = certain(workspace, "recall@20", ALL_CLICKS)
        figure = modelcharts.evaluation(models, intervals(workspace), titles, baselines(), state.mode(), certain=sure)
        with left:
            draw.figure(figure)
        examples = max(int(m["examples"]) for m in models.values())
        left.caption(
            f"{terms.next_clicks(models)} Measured here on {examples:,} next clicks of sessions that no model has seen."
        )
    if points is not None:
        with right:
            draw.figure(modelcharts.training(points.to_dicts(), state.mode()))
    news.show()


with errors():
    main()
