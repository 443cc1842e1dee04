"""What can be done with a workspace: opened, renamed, copied, sent as a file, deleted with undo."""

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from app import state, tray
from app.workspaces import chosen
from pipeline.core.errors import UserError
from pipeline.store.snapshot import forget
from pipeline.workspaces import changes
from pipeline.workspaces.places import Listed, check_new

EXPORTS = "exports"  # in the workspace that is open
_DELETED = "deleted-workspace"


def draw(one: Listed, is_here: bool) -> None:
    """Draw the buttons of one workspace; what is open cannot be moved."""
    go, more = st.columns([1, 1])
    if is_here:
        go.markdown(":material/check: open")
    elif go.button("Open", key=f"open-{one.name}", width="stretch"):
        chosen.choose(one.name)
        st.rerun()
    with more.popover("More", width="stretch"):
        _named(one, "duplicate", "Copy it under another name", "Duplicate", lambda to: _duplicate(one, to))
        st.caption("Stages are shared on the disk until they change; indexes are built anew.")
        if st.button("Export as one file", key=f"export-{one.name}", icon=":material/archive:"):
            _export(one)
        if is_here or one.is_open:
            st.caption("It is open here or by the app itself, and can be neither renamed nor deleted.")
            return
        _named(one, "rename", "Another name", "Rename", lambda to: _rename(one, to))
        if st.button("Delete", key=f"delete-{one.name}", icon=":material/delete:"):
            _delete(one)


def undo() -> None:
    """Offer to bring back what this visitor deleted last."""
    kept = st.session_state.get(_DELETED)
    if kept is None:
        return
    told, button = st.columns([4, 1], vertical_alignment="center")
    told.info(f"“{kept}” is deleted.", icon=":material/delete:")
    if button.button("Undo", width="stretch", icon=":material/undo:"):
        _done(lambda: changes.restore(state.start(), kept))


def restored(name: str) -> None:
    """Bring a deleted workspace back."""
    _done(lambda: changes.restore(state.start(), name))


def purged(name: str) -> None:
    """Remove a deleted workspace for good."""
    _done(lambda: changes.purge(state.start(), name))


def created(name: str) -> None:
    """Make an empty workspace and go there."""

    def work() -> None:
        changes.create(state.start(), name)
        chosen.choose(name)

    _done(work)


def _named(one: Listed, key: str, label: str, button: str, work: Callable[[str], None]) -> None:
    with st.form(f"{key}-{one.name}", border=False):
        to = st.text_input(label, placeholder="letters, digits, - and _", max_chars=60)
        if st.form_submit_button(button) and to:
            work(to.strip())


def _duplicate(one: Listed, to: str) -> None:
    try:
        check_new(state.start(), to)
    except UserError as error:
        st.error(str(error))
        return
    tray.launch(["workspace", "duplicate", one.name, to], f"duplicate {one.name}")


def _export(one: Listed) -> None:
    folder = state.workspace().root / EXPORTS
    folder.mkdir(exist_ok=True)
    tray.launch(["workspace", "export", one.name, str(folder / f"{one.name}.tar")], f"export {one.name}")


def _rename(one: Listed, to: str) -> None:
    _done(lambda: changes.rename(state.start(), one.name, to), one.path)


def _delete(one: Listed) -> None:
    def work() -> None:
        st.session_state[_DELETED] = changes.delete(state.start(), one.name)

    _done(work, one.path)


def _done(work: Callable[[], object], moved: Path | None = None) -> None:
    """Do something at once and draw anew; say what is in the way."""
    try:
        with st.spinner("A moment: its servers are stopped first" if moved else "A moment"):
            st.session_state.pop(_DELETED, None)
            if moved is not None:
                state.let_go(moved)
            work()
    except UserError as error:
        st.error(str(error))
        return
    forget()
    st.rerun()
