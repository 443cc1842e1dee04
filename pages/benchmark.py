"""Benchmark: run a sweep, watch its points arrive, and get the cheapest setting that has the recall you need."""

import streamlit as st

from app import cards as parts
from app import tray, url
from app.benchmark import (
    adviser,
)
from app.benchmark import (
    data as benchdata,
)
from app.benchmark import (
    form as sweep,
)
from app.benchmark import (
    published as study,
)
from app.benchmark import (
    runs as benchruns,
)
from app.benchmark import (
    views as benchviews,
)
from app.errors import errors
from pipeline.bench.analysis.settings import under

STUDY = "Published study"


def main() -> None:
    parts.heading(
        "Which index gives the recall you need for the least money?",
        "Every setting is measured against the exact answers and under load; the server is measured, not its client.",
    )
    known = benchdata.list_runs()
    sweep.form(expanded=not known)
    live = benchdata.running(known) or any(job.title.startswith("bench") for job in tray.live())
    st.fragment(_results, run_every=2.0 if live else None)()


@errors()
def _results() -> None:
    known = benchdata.list_runs()
    view = _view(bool(known))
    if view == STUDY:
        if not known:
            parts.empty("Nothing has been measured here yet: press Run above. Until then, here are published results:")
        study.show()
        return
    for run in known:
        if run.status == "running":
            sweep.progress(run.points, run.planned)
    names = benchdata.choose_runs(known)
    if not names:
        parts.empty("No run is chosen: choose one above, or 'published'.")
        return
    settings, failed = benchdata.read(names, known)
    benchruns.failures(failed)
    if settings.is_empty():
        parts.empty("No point yet: the first appears when its index is built.")
        return
    given = benchdata.choose_load(settings)
    figure, panel = st.columns([2, 1], gap="large")
    with panel:
        wanted = adviser.wish()
    with errors():
        chosen = adviser.priced(under(settings, given), wanted)
        with panel:
            adviser.show(chosen, wanted)
        with figure:
            shown = benchdata.open_loops(settings, given) if view == benchviews.RATES else chosen
            benchviews.VIEWS[view](shown, wanted)
    benchruns.table(known)
    benchruns.export(names, given)


def _view(measured: bool) -> str:
    views = [*benchviews.VIEWS, STUDY]
    usual = views[0] if measured else STUDY
    shown = url.segments("view", usual, url.one_of(views))  # the first run that is there takes the study's place
    return str(st.segmented_control("View", views, required=True, label_visibility="collapsed", **shown))


with errors():
    main()
