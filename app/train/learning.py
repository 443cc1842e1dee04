"""How a training goes: its live curve with the time left and a way to end it early, and one that was cut off."""

import time
from typing import Any

import streamlit as st

from app import making, refused, state, tray
from app.errors import errors
from app.parts import draw, layout
from pipeline.core.errors import UserError
from pipeline.core.text import duration
from pipeline.figures import models
from pipeline.jobs.forecast import time_left_words
from pipeline.jobs.job import Job, stop_job
from pipeline.models.registry import KINDS
from pipeline.training.interrupted import Interrupted, interrupted

_STAGE = "train"  # as the job's progress names it


def show(model: str) -> None:
    """Show the training that runs, else what was cut off and how the last one of `model` went."""
    running = making.maker("models")
    if running is not None:
        st.fragment(_live, run_every=1.0)(running.id)
        return
    for found in interrupted(state.workspace()):
        _cut_off(found)
    _last(model)


@errors()
def _live(job_id: str) -> None:
    job = next((j for j in tray.live() if j.id == job_id), None)
    points = job.curve() if job else []
    if job is None or not points:
        st.caption("The curve appears with the first batches; loading TensorFlow takes some ten seconds.")
        return
    _how_far(job)
    draw.figure(models.training(points, state.mode()), "live")


def _how_far(job: Job) -> None:
    """Say how far the training is and offer to end it; nothing once the job does something else."""
    progress: dict[str, Any] = job.progress
    if progress.get("stage") != _STAGE:
        return
    facts = [str(progress.get("text", "")), time_left_words(progress, time.time())]
    told, button = st.columns([2, 1], vertical_alignment="center")
    told.markdown(" · ".join(filter(None, facts)))
    asked = (job.folder / "stop").exists()
    if button.button(
        "Stop early and keep the best",
        icon=":material/stop_circle:",
        width="stretch",
        disabled=asked,
        key=f"stop-{job.id}",
        help=f"As `python -m pipeline jobs stop {job.id}`. The steps after training still run; Cancel, on the left, ends everything.",
    ):
        try:
            stop_job(job)
            st.toast("Training stops after this batch and keeps the best model so far.", icon=":material/stop_circle:")
        except UserError as error:  # it ended by itself meanwhile
            st.toast(str(error))


def _cut_off(found: Interrupted) -> None:
    with refused.below(f"resume-{found.model}"), st.container(border=True):
        told, button = st.columns([3, 1], vertical_alignment="center")
        best = f", recall@20 of held-out sessions {found.validation:.3f}" if found.validation is not None else ""
        told.markdown(
            f":material/pause_circle: **A training of {KINDS[found.model].title} was interrupted after pass {found.passes}** "
            f"({duration(found.seconds)}{best}). Resume continues from there with the same settings; "
            "training this model again discards it."
        )
        if button.button("Resume", icon=":material/resume:", width="stretch", key=f"resume-{found.model}"):
            command = "run" if KINDS[found.model].has_vectors else "train"
            tray.launch([command, *found.arguments], f"resume {found.model}")


def _last(model: str) -> None:
    title, points = KINDS[model].title, state.table(f"models/{model}", "curve.parquet")
    manifest = state.workspace().manifest(f"models/{model}")
    if manifest is None:
        layout.empty(f"{title} is not trained yet: press “Train” above.")
    elif points is None:
        st.caption(f"{title} only counts the clicks, so there is no training curve. {_facts(manifest)}")
    else:
        draw.figure(models.training(points.to_dicts(), state.mode()), "last")
        st.caption(_facts(manifest))


def _facts(manifest: dict[str, Any]) -> str:
    found, config = manifest["metrics"], manifest["config"]
    facts = [f"Measured here in {duration(manifest['seconds'])} on {found['items']:,} items"]
    facts += [f"pass {found['best_epoch']} was kept"] if "best_epoch" in found else []
    facts += [found["note"]] if "note" in found else []
    facts += [f"seed {config['seed']}"] if "seed" in config else []
    return f"{'; '.join(facts)}, {manifest['created'].replace('T', ' ')[:16]} UTC."
