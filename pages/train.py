"""Train: choose a model, watch it learn, compare it with the simplest one."""

from dataclasses import fields

import streamlit as st

from app import charts, judged, parts, state, tray
from pipeline.models.two_tower import TwoTowerConfig
from pipeline.train import KINDS

HELP = {
    "epochs": "Passes over the training clicks; the best by validation recall@20 is kept.",
    "batch_size": "Examples in a batch; the other examples' items are the negatives.",
    "learning_rate": "Adam's step size: larger learns faster, too large never settles.",
    "seed": "Of the first weights and the shuffling; the same seed gives the same order.",
}


def main() -> None:
    parts.heading("How well can the next click be foreseen?", KINDS["two_tower"].about)
    if state.workspace().manifest("data") is None:
        parts.empty("There are no sessions to train on yet.", "data", "Choose clicks on the Data page")
        return
    _form()
    running = next((j for j in tray.live() if j.curve() or "train" in j.title or "run" in j.title), None)
    if running is not None:
        st.fragment(_live, run_every=1.0)(running.id)
    else:
        _curve()
    judged.show()


def _form() -> None:
    with st.container(border=True):
        defaults = TwoTowerConfig()
        columns = st.columns(len(fields(defaults)))
        epochs = columns[0].number_input("Epochs", 1, 100, defaults.epochs, help=HELP["epochs"])
        sizes = [256, 512, 1024, 2048, 4096]
        batch = columns[1].selectbox("Batch size", sizes, sizes.index(defaults.batch_size), help=HELP["batch_size"])
        rates = [0.0003, 0.001, 0.003, 0.01]
        rate = columns[2].selectbox(
            "Learning rate", rates, rates.index(defaults.learning_rate), help=HELP["learning_rate"]
        )
        seed = columns[3].number_input("Seed", 0, 10_000, defaults.seed, help=HELP["seed"])
        chosen = [
            "--epochs",
            str(epochs),
            "--batch-size",
            str(batch),
            "--learning-rate",
            str(rate),
            "--seed",
            str(seed),
        ]
        left, right = st.columns([2, 1])
        if left.button("Train, and refresh vectors, index, evaluation and map", type="primary", width="stretch"):
            tray.launch(["run", *chosen], "train and refresh")
        if right.button("Train only", width="stretch"):
            tray.launch(["train", "--model", "two_tower", *chosen], "train two_tower")


def _live(job_id: str) -> None:
    job = next((j for j in tray.live() if j.id == job_id), None)
    points = job.curve() if job else []
    if points:
        st.plotly_chart(charts.training(points, state.mode()), theme=None, key="live")
    else:
        st.caption("The curve appears with the first batches; loading TensorFlow takes some ten seconds.")


def _curve() -> None:
    points = state.table("models/two_tower", "curve.parquet")
    manifest = state.workspace().manifest("models/two_tower")
    if points is None or manifest is None:
        parts.empty("No model is trained yet: press “Train, and refresh …” above.")
        return
    st.plotly_chart(charts.training(points.to_dicts(), state.mode()), theme=None)
    found = manifest["metrics"]
    st.caption(
        f"Measured here in {manifest['seconds']:.0f} s on {found['items']:,} items; epoch {found['best_epoch']} was kept; "
        f"seed {manifest['config']['seed']}, {manifest['created'].replace('T', ' ')[:16]} UTC."
    )


with parts.errors():
    main()
