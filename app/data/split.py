"""Sessions to train on and to test with: what is kept, told before it is done, and what was dropped, after."""

from pathlib import Path
from typing import Any

import streamlit as st

from app import making, refused, state, tray, url
from app.parts import draw, table
from pipeline.core.errors import UserError
from pipeline.core.options import bounds
from pipeline.core.text import number, percent
from pipeline.figures import data
from pipeline.sessions.config import TEST_SHARE, PreprocessConfig
from pipeline.sessions.estimate import Sample, estimate, take_sample
from pipeline.store.stage import is_stale
from pipeline.store.workspace import Workspace

_BEGINS = {"a share": "share", "the last days": "days", "a time": "time"}
_SHARES = {"all": 1.0, "1/4": 1 / 4, "1/16": 1 / 16, "1/64": 1 / 64}


def show() -> list[str]:
    """Draw what is there, what could be chosen, and what that would keep; give what is chosen as arguments."""
    st.header("Training and test sessions")
    manifest = state.workspace().manifest("data")
    if manifest is None:
        making.show("data")
    else:
        _told(manifest)
        _report(manifest)
    st.subheader("What is kept")
    chosen = _options()
    config = _estimated(chosen)
    with refused.below("preprocess"):
        if st.button("Preprocess", disabled=config is None):
            tray.launch(["preprocess", *_arguments(chosen)], "preprocess")
    return _arguments(chosen)


def beforehand() -> list[str]:
    """Draw what could be chosen before any clicks are read; give what is chosen as arguments."""
    with st.expander("What is kept of the clicks"):
        return _arguments(_options())


def _told(manifest: dict[str, Any]) -> None:
    found = manifest["metrics"]
    st.write(
        f"{found['train_sessions']:,} sessions ended before {found['boundary'][:16].replace('T', ' ')} UTC and are used for training; "
        f"{found['test_sessions']:,} ended later and are used for testing. Sessions with a single click are left out."
    )
    if is_stale(state.workspace(), "data"):
        st.caption(
            ":material/update: These sessions come from clicks that were read earlier: press Preprocess, or run the whole pipeline."
        )


def _report(manifest: dict[str, Any]) -> None:
    steps, days = manifest["metrics"].get("steps"), None
    if not steps:  # written before there was a report
        return
    folder = state.workspace().stage("data")
    if (folder / "days.parquet").exists():
        days = state.table("data", "days.parquet")
    left, right = st.columns(2, gap="large")
    with left:
        draw.figure(data.kept(steps, state.mode()), key="kept")
    if days is not None:
        with right:
            draw.figure(data.timeline(days, manifest["metrics"]["boundary"], state.mode()), key="timeline")
    with st.expander("What each step dropped, and why"):
        table.show(_lines(steps), {})
    for note in manifest["metrics"].get("notes", []):
        st.caption(f":material/info: {note}")


def _lines(steps: list[dict[str, Any]]) -> list[dict[str, str]]:
    lines = []
    for before, step in zip([None, *steps], steps, strict=False):
        line = {"dropped": str(step["why"])}
        for name in ("clicks", "sessions", "items"):
            gone = f" (−{number(before[name] - step[name])})" if before else ""
            line[f"{name} left"] = f"{number(step[name])}{gone}"
        lines.append(line)
    return lines


def _options() -> dict[str, Any]:
    """Draw the options; give those that are not the default."""
    chosen: dict[str, Any] = _boundary()
    first = st.columns(4)
    chosen["last_days"] = _whole(first[0], "last_days", "Only the last days (0: all)")
    share = first[1].selectbox("Train on the last", list(_SHARES), **url.choice("train_on", "all", list(_SHARES)))
    chosen["train_share"] = _SHARES[str(share)]
    chosen["min_session_length"] = _whole(first[2], "min_session_length", "Shortest session")
    chosen["max_session_length"] = _whole(first[3], "max_session_length", "Longest session (0: any)")
    second = st.columns(4, vertical_alignment="bottom")
    chosen["min_item_count"] = _whole(second[0], "min_item_count", "Fewest clicks of an item")
    chosen["min_category_count"] = _whole(second[1], "min_category_count", "Fewest items of a category")
    flags = {
        "collapse_repeats": "Collapse repeated clicks",
        "clean_categories": "Clean up categories",
    }
    for place, (name, label) in zip(second[2:], flags.items(), strict=True):
        about = PreprocessConfig.model_fields[name].description
        chosen[name] = place.toggle(label, help=about, **url.bound(name, False, url.flag, url.write_flag))
    return {n: v for n, v in chosen.items() if v != PreprocessConfig.model_fields[n].default}


def _boundary() -> dict[str, Any]:
    left, right = st.columns([1, 1], vertical_alignment="bottom")
    read = {kind: title for title, kind in _BEGINS.items()}.get
    shown = url.segments("test_by", next(iter(_BEGINS)), read, _BEGINS.__getitem__)
    by = left.segmented_control("Test with", list(_BEGINS), required=True, **shown)
    if by == "the last days":
        return {"test_days": _whole(right, "test_days", "Days at the log's end", least=1)}
    if by == "a time":
        asked = right.text_input(
            "From (ISO time, UTC)", placeholder="2014-09-01", **url.bound("test_from", "", url.text)
        )
        return {"test_from": asked or None}
    shown = url.bound("test_share", round(TEST_SHARE * 100), url.whole(1, 99))
    percents = right.slider("Share of the sessions, the last to end (%)", 1, 99, **shown)
    return {"test_share": percents / 100}


def _whole(place: Any, name: str, label: str, least: int | None = None) -> int:
    """Draw the field of a number, with the bounds and the meaning that its option has."""
    field = PreprocessConfig.model_fields[name]
    limits = bounds(field)
    low, high = int(limits["ge"] if least is None else least), int(limits["le"])
    shown = url.bound(name, max(low, int(field.default)), url.whole(low, high))
    return int(place.number_input(label, low, high, help=field.description, **shown))


@st.cache_resource(max_entries=2, show_spinner="Reading a sample of the clicks")
def _sample(root: str, key: str) -> Sample:
    return take_sample(Workspace(Path(root)))


def _estimated(chosen: dict[str, Any]) -> PreprocessConfig | None:
    """Say what the options would keep; None where they cannot be, or leave nothing."""
    opened = state.workspace()
    clicks = opened.manifest("clicks")
    if clicks is None:
        return None
    try:
        config = PreprocessConfig(**chosen)
        found = estimate(_sample(str(opened.root), clicks["key"]), config)
    except UserError as error:
        st.warning(str(error), icon=":material/report:")
        return None
    first, last = found.steps[0], found.steps[-1]
    about = "" if found.share == 1 else "About "
    st.markdown(
        f"{about}**{number(last.clicks)} clicks** are kept of {number(first.clicks)} ({number(100 * last.clicks / first.clicks)} %): "
        f"{number(found.train)} sessions to train on, {number(found.test)} to test with from {found.boundary[:16].replace('T', ' ')} UTC."
    )
    if found.share < 1:
        st.caption(f"Estimated from {percent(found.share)} of the sessions.")
    return config


def _arguments(chosen: dict[str, Any]) -> list[str]:
    return [part for name, value in chosen.items() for part in ("--data", f"{name}={_written(value)}")]


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value}"
