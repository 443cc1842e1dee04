"""A file of clicks sent from the browser: kept in the workspace, whole or not at all."""

import hashlib
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from app import state
from pipeline.clicks.download import whole_file

KINDS = ["csv", "tsv", "txt", "dat", "parquet", "gz", "bz2", "xz", "zip"]


def upload(label: str, help_: str | None = None, kinds: Sequence[str] = KINDS) -> str:
    """Draw a field that takes a file; give the path where it is kept, '' while there is none."""
    most = int(st.get_option("server.maxUploadSize"))
    file = st.file_uploader(f"{label}, up to {most} MB", type=kinds, help=help_)
    if file is None:
        return ""
    kept: dict[str, str] = st.session_state.setdefault("uploads", {})
    if file.file_id not in kept or not Path(kept[file.file_id]).exists():
        kept[file.file_id] = str(_save(file))
    return kept[file.file_id]


def _save(file: Any) -> Path:
    file.seek(0)
    sum_ = hashlib.file_digest(file, "sha256").hexdigest()[:16]  # files of one name, sent by two people, are two
    folder = state.workspace().root / "uploads" / sum_
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / (re.sub(r"[^\w.-]+", "_", Path(file.name).name).lstrip(".") or "clicks")
    with whole_file(target) as beside, beside.open("wb") as to:
        file.seek(0)
        shutil.copyfileobj(file, to, 1 << 20)
    return target
