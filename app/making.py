"""What is not there yet while a job makes it: how far that is, in place of what to press."""

import streamlit as st

from app import tray
from app.errors import errors
from pipeline.jobs.job import Job

# what a page waits for -> what the job does that makes it
_DOES = {
    "clicks": "reads the clicks",
    "data": "splits the clicks into sessions",
    "models": "trains the model",
    "vectors": "computes the vectors",
    "indexes": "builds the index",
    "evaluation": "evaluates the models",
    "maps": "draws the map",
    "bench": "measures recall and QPS",
    "features": "computes the features and puts them online",
    "triton": "has Triton serve what is in use",
    "recommendations": "recommends to every session of the log",
    "duplicate": "copies a workspace",
    "export": "writes a workspace to a file",
    "import": "reads a workspace from a file",
    "serving load": "asks what is served, again and again",
}
# the first words of a command -> what it makes; the longest that fits counts
_MAKES = {
    ("run",): ["clicks", "data", "models", "vectors", "indexes", "evaluation", "maps"],
    ("ingest",): ["clicks"],
    ("preprocess",): ["data"],
    ("train",): ["models"],
    ("vectors", "import"): ["vectors"],
    ("index", "build"): ["indexes"],
    ("evaluate",): ["evaluation"],
    ("map",): ["maps"],
    ("bench",): ["bench"],
    ("bench", "quality"): [],
    ("features",): ["features"],
    ("serve", "export"): ["triton"],
    ("serve", "up"): ["triton"],
    ("serve", "load"): ["serving load"],
    ("recommend",): ["recommendations"],
    ("workspace", "duplicate"): ["duplicate"],
    ("workspace", "export"): ["export"],
    ("workspace", "import"): ["import"],
}


def makes(job: Job, what: str) -> bool:
    """Tell whether a job makes `what`: its command is `python -m pipeline WORDS…`."""
    words = tuple(str(job.about["command"]).split()[3:5])
    return what in _MAKES.get(words, _MAKES.get(words[:1], []))


def maker(what: str) -> Job | None:
    """Give the job that makes `what`, None where none does."""
    return next((job for job in tray.live() if makes(job, what)), None)


def show(what: str) -> bool:
    """Say that a job makes `what`, and how far it is; tell whether one does. The tray has the page drawn anew after."""
    job = maker(what)
    if job is None:
        return False
    st.markdown(f":material/hourglass_top: The job below {_DOES[what]}; this page then updates by itself.")
    card(job, what)
    return True


def card(job: Job, place: str) -> None:
    """Draw a living job in the page as the tray does, where no other `place` of the page does; it looks every second."""
    st.fragment(_card, run_every=tray.EVERY_S)(job.id, place)


@errors()
def _card(job_id: str, place: str) -> None:
    running = tray.live()
    for before, job in zip([None, *running], running, strict=False):
        if job.id == job_id:
            tray.card(job, before, place)
