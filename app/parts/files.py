"""Files that a job wrote, handed out by the page or named by their place where they are large."""

from pathlib import Path

from streamlit.delta_generator import DeltaGenerator

_MOST_BYTES = 200_000_000  # that a page hands out


def download(place: DeltaGenerator, path: Path) -> None:
    """Draw what sends a file to the browser; it is read when it is pressed."""
    if path.stat().st_size > _MOST_BYTES:
        place.caption(f"In {path.parent}")
        return
    place.download_button(
        "Download", path.read_bytes, path.name, icon=":material/download:", key=f"get-{path.name}", width="stretch"
    )
