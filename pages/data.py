"""Data: choose clicks, see what is in them, split them into sessions."""

from app import freshness, making, state
from app.data import choose, profile, split
from app.errors import errors
from app.parts import layout


def main() -> None:
    layout.heading(
        "Which clicks do we learn from?", "Choose a data set or upload your own, then run the pipeline on it."
    )
    choose.show()
    manifest = state.workspace().manifest("clicks")
    if manifest is None:
        if not making.show("clicks"):
            layout.empty(
                "There are no clicks yet: press “Run the whole pipeline” above, and this page shows what is in them."
            )
        return
    freshness.notice(state.model())
    profile.show(manifest)
    split.show()


with errors():
    main()
