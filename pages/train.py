"""Train: choose a model, watch it learn, compare it with the simplest one."""

import streamlit as st

from app import judged, lesson, modelcharts, parts, state, tray
from pipeline.kinds import KINDS
from pipeline.names import DEFAULT_MODEL

HELP = {
    "epochs": "Passes over the training clicks, at most; the best by the held-out sessions is kept.",
    "batch_size": "Next clicks in a batch.",
    "learning_rate": "Adam's step size: larger learns faster, too large never settles.",
    "budget": "Minutes that the training may take.",
    "seed": "Of the first weights and the shuffling; the same seed gives the same order.",
}


def main() -> None:
    parts.heading(
        "How well can the next click be foreseen?",
        "A model learns from sessions that have ended; those that it has never seen tell how well.",
    )
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
    lesson.show()


def _form() -> None:
    with st.container(border=True):
        able = [name for name, kind in KINDS.items() if kind.has_vectors]
        model = st.selectbox("Model", able, able.index(state.model()), format_func=lambda name: KINDS[name].title)
        state.remember(model=model if model != DEFAULT_MODEL else None)
        st.caption(KINDS[model].about)
        defaults = KINDS[model].config
        columns = st.columns(5)
        epochs = columns[0].number_input("Epochs", 1, 100, defaults.epochs, help=HELP["epochs"])
        sizes = [256, 512, 1024, 2048, 4096]
        batch = columns[1].selectbox("Batch size", sizes, sizes.index(defaults.batch_size), help=HELP["batch_size"])
        rates = [0.0003, 0.001, 0.003, 0.005, 0.01]
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
        if hasattr(defaults, "budget"):
            budget = columns[4].number_input("Minutes at most", 0.1, 1000.0, defaults.budget, help=HELP["budget"])
            chosen += ["--budget", str(budget)]
        left, right = st.columns([2, 1])
        if left.button("Train, and refresh vectors, index, evaluation and map", type="primary", width="stretch"):
            tray.launch(["run", "--model", model, *chosen], "train and refresh")
        if right.button("Train only", width="stretch"):
            tray.launch(["train", "--model", model, *chosen], f"train {model}")


def _live(job_id: str) -> None:
    job = next((j for j in tray.live() if j.id == job_id), None)
    points = job.curve() if job else []
    if points:
        st.plotly_chart(modelcharts.training(points, state.mode()), theme=None, key="live")
    else:
        st.caption("The curve appears with the first batches; loading TensorFlow takes some ten seconds.")


def _curve() -> None:
    points = state.table(f"models/{state.model()}", "curve.parquet")
    manifest = state.workspace().manifest(f"models/{state.model()}")
    if points is None or manifest is None:
        parts.empty("No model is trained yet: press “Train, and refresh …” above.")
        return
    st.plotly_chart(modelcharts.training(points.to_dicts(), state.mode()), theme=None)
    found = manifest["metrics"]
    st.caption(
        f"Measured here in {manifest['seconds']:.0f} s on {found['items']:,} items; epoch {found['best_epoch']} was kept; "
        f"seed {manifest['config']['seed']}, {manifest['created'].replace('T', ' ')[:16]} UTC."
    )


with parts.errors():
    main()
