"""Benchmark: run a sweep, watch its points arrive, and get the cheapest setting that has the recall you need."""

import streamlit as st

from app import making, url
from app.benchmark import adviser, data, form, published, runs
from app.benchmark import views as benchviews
from app.errors import errors
from app.parts import layout
from pipeline.bench.analysis.settings import under

STUDY = "Published study"


def main() -> None:
    layout.heading(
        "Which index gives the recall you need for the least money?",
        "Every setting is measured against the exact answers and under load; the server is measured, not its client.",
    )
    known = data.list_runs()
    form.form(expanded=not known)
    live = data.points_arriving(known) or making.maker("bench") is not None
    st.fragment(_results, run_every=2.0 if live else None)()


@errors()
def _results() -> None:
    known = data.list_runs()
    view = _view(bool(known))
    if view == STUDY:
        if not known and not making.show("bench"):
            layout.empty("Nothing has been measured here yet: press Run above. Until then, here are published results:")
        published.show()
        return
    for run in known:
        if run.status == "running":
            form.progress(run.points, run.planned)
    names = data.choose_runs(known)
    if not names:
        layout.empty("No run is chosen: choose one above, or 'published'.")
        return
    settings, failed = data.read(names, known)
    runs.failures(failed)
    if settings.is_empty():
        layout.empty("No point yet: the first appears when its index is built.")
        return
    given = data.choose_load(settings)
    figure, panel = st.columns([2, 1], gap="large")
    with panel:
        wanted = adviser.wish()
    with errors():
        chosen = adviser.priced(under(settings, given), wanted)
        with panel:
            adviser.show(chosen, wanted)
        with figure:
            shown = data.open_loops(settings, given) if view == benchviews.RATES else chosen
            benchviews.VIEWS[view](shown, wanted)
    runs.table(known)
    runs.export(names, given)


def _view(measured: bool) -> str:
    views = [*benchviews.VIEWS, STUDY]
    usual = views[0] if measured else STUDY
    shown = url.segments("view", usual, url.one_of(views))  # the first run that is there takes the study's place
    return str(st.segmented_control("View", views, required=True, label_visibility="collapsed", **shown))


with errors():
    main()
