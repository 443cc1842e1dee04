"""Workspaces: one pipeline each; opened, made, copied, renamed, sent as a file, deleted with undo."""

import time
from pathlib import Path

import streamlit as st

from app import making, refused, state, tray
from app.data import uploads
from app.errors import errors
from app.own import is_own
from app.parts import files, layout, terms
from app.workspaces import actions
from pipeline.core.errors import UserError
from pipeline.core.text import age, number, size
from pipeline.workspaces.places import Listed, check_new, home_of, list_deleted, list_workspaces


def main() -> None:
    layout.heading(
        "Which pipelines are there?",
        "A workspace holds one pipeline, from its clicks to its indexes. Try something in a copy, and delete it after.",
    )
    actions.undo()
    found = list_workspaces(state.start())
    for one in found:
        _card(one)
    for what in ("duplicate", "export", "import"):
        making.show(what)
    _exported()
    left, right = st.columns(2, gap="large")
    with left:
        _new()
    with right, refused.below("import"):
        _import()
    _deleted()
    where = f"; new ones lie in {_short(home_of(state.start()))}" if is_own() else ""
    st.caption(f"All together {size(sum(one.bytes for one in found))} on the disk{where}.")


def _short(path: Path) -> str:
    return f"~/{path.relative_to(Path.home())}" if path.is_relative_to(Path.home()) else str(path)


def _card(one: Listed) -> None:
    is_here = one.path == state.root()
    with st.container(border=True):
        about, buttons = st.columns([3, 2], vertical_alignment="center")
        about.markdown(f"**{terms.escaped(one.name)}**")
        about.caption(" · ".join(_facts(one)))
        with buttons:
            actions.draw(one, is_here)


def _facts(one: Listed) -> list[str]:
    held = "empty" if one.clicks is None else f"{number(one.clicks)} clicks of {terms.escaped(one.source)}"
    runs = [f"{one.busy} in use"] if one.busy else []
    return [held, f"{one.stages} stages", size(one.bytes), f"changed {age(time.time() - one.changed)}", *runs]


def _exported() -> None:
    folder = state.workspace().root / actions.EXPORTS
    for path in sorted(folder.glob("*.tar")) if folder.is_dir() else []:
        told, button, gone = st.columns([3, 1, 1], vertical_alignment="center")
        told.markdown(f":material/archive: {terms.escaped(path.name)}, {size(path.stat().st_size)}")
        files.download(button, path)
        if gone.button("Remove", key=f"remove-{path.name}", width="stretch"):
            path.unlink(missing_ok=True)
            st.rerun()


def _new() -> None:
    with st.form("create"):
        name = st.text_input("A new workspace", placeholder="letters, digits, - and _", max_chars=60)
        if st.form_submit_button("Create and open") and name:
            actions.created(name.strip())


def _import() -> None:
    with st.expander("Import a workspace", icon=":material/upload:"):
        sent = uploads.upload("A workspace as one file", "Only take files from people you trust.", ["tar"])
        name = st.text_input("Its name here", placeholder="letters, digits, - and _", max_chars=60)
        if st.button("Import", disabled=not (sent and name), help=None if sent else "Choose a file first."):
            try:
                check_new(state.start(), name.strip())
            except UserError as error:
                st.error(str(error))
                return
            tray.launch(["workspace", "import", sent, name.strip()], f"import {name.strip()}")


def _deleted() -> None:
    found = list_deleted(state.start())
    if not found:
        return
    with st.expander(f"Deleted: {number(len(found))}, {size(sum(one.bytes for one in found))}"):
        for one in found:
            told, back, gone = st.columns([3, 1, 1], vertical_alignment="center")
            told.markdown(f"{terms.escaped(one.name)} · {size(one.bytes)}")
            if back.button("Restore", key=f"restore-{one.name}", width="stretch"):
                actions.restored(one.name)
            with gone.popover("Remove", width="stretch"):
                st.write("It cannot be brought back after that.")
                if st.button("Remove for good", key=f"purge-{one.name}", type="primary"):
                    actions.purged(one.name)


with errors():
    main()
