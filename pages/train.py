"""Train: choose a model, watch it learn, compare trainings with each other and models with the simplest one."""

from app import judged, learning, lesson, parts, state, trainform, trainings


def main() -> None:
    parts.heading(
        "How well can the next click be foreseen?",
        "A model learns from sessions that have ended; those that it has never seen tell how well.",
    )
    if state.workspace().manifest("data") is None:
        parts.empty("There are no sessions to train on yet.", "data", "Choose clicks on the Data page")
        return
    model = trainform.form()
    learning.show(model)
    trainings.show()
    judged.show()
    lesson.show()


with parts.errors():
    main()
