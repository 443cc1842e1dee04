"""Triton's life on the page: its state, what it serves and holds in memory, start, swap and stop."""

from typing import Any

import streamlit as st

from app import making, state, tray
from app.errors import errors
from app.parts import table
from app.serve.served import fast_path
from pipeline.core.errors import UserError
from pipeline.serving.ensemble.export import exported_key
from pipeline.serving.triton import server
from pipeline.store.workspace import Workspace

EXPORT, UP = (["serve", "export"], "serve export"), (["serve", "up"], "serve up")
_WORDS = {
    "ready": (":material/check_circle:", "Triton is ready"),
    "stopped": (":material/stop_circle:", "Triton is stopped"),
    "failed": (":material/error:", "Triton did not start"),
    "external": (":material/cloud:", "Another Triton, by its address"),
    "starting": (":material/hourglass_top:", "Triton is starting"),
    "starting again": (":material/hourglass_top:", "Triton starts again"),
    "stopping": (":material/hourglass_top:", "Triton is stopping"),
}
_RESTING = ("ready", "stopped", "failed", "external")


@st.cache_data(ttl=2.0, show_spinner=False)
def status(root: str) -> dict[str, Any]:
    """Give Triton's state, with the models that it serves; kept for two seconds, as every rerun asks."""
    found = server.status(Workspace.open(root))
    if found["state"] in ("ready", "external"):
        from pipeline.serving.triton.client import TritonClient

        client = TritonClient(found["grpc"], ranked=True, deadline_s=2.0)
        try:
            found |= client.about()
        except UserError as error:
            found["error"] = str(error)
        finally:
            client.close()
    return found


def now() -> dict[str, Any]:
    """Give Triton's state."""
    return status(str(state.workspace().root))


def show() -> None:
    """Draw the strip with Triton's state and what can be done about it; it looks again while something changes."""
    moving = now()["state"] not in _RESTING
    st.fragment(_strip, run_every=2.0 if moving else None)()


@errors()
def _strip() -> None:
    found = now()
    icon, words = _WORDS[found["state"]]
    with st.container(border=True):
        told, buttons = st.columns([3, 2], vertical_alignment="center")
        with told:
            st.markdown(f"{icon} **{words}**")
            st.caption(_facts(found))
        with buttons, st.container(horizontal=True, horizontal_alignment="right"):
            _buttons(found)
        if "error" in found:
            st.warning(found["error"], icon=":material/warning:")
        if found["processes"] or found.get("models"):
            with st.expander("Models, processes and log", icon=":material/dns:"):
                _details(found)


def _facts(found: dict[str, Any]) -> str:
    if found["state"] == "stopped":
        return "It serves the four stages over HTTP and gRPC, on 127.0.0.1 only; it takes some 11 s to start."
    memory = sum(process["mb"] for process in found["processes"])
    facts = [
        f"version {found['version']}" if "version" in found else "",
        f"gRPC {found['grpc']}" if "grpc" in found else "",
        f"HTTP {found['http']}" if "http" in found else "",
        f"{memory:,} MB in {len(found['processes'])} processes" if memory else "",
        f"started in {found['ready_s']:.0f} s" if "ready_s" in found else "",
    ]
    return " · ".join(filter(None, facts))


def _buttons(found: dict[str, Any]) -> None:
    if found["state"] == "external":
        return
    busy = making.maker("triton") is not None
    if found["state"] in ("stopped", "failed"):
        if st.button("Start Triton", icon=":material/play_arrow:", type="primary", disabled=busy):
            tray.launch(*EXPORT, then=[UP])
        return
    if _outdated(found):
        help = "The new parts are loaded beside the old ones and take their place; no request fails meanwhile."
        if st.button("Swap to what is in use", icon=":material/swap_horiz:", type="primary", disabled=busy, help=help):
            tray.launch(*EXPORT, then=[UP])
    if st.button("Stop", icon=":material/stop:", disabled=busy):
        with st.spinner("Stopping"):
            st.toast(server.down(state.workspace()))
        status.clear()
        st.rerun()


def _outdated(found: dict[str, Any]) -> bool:
    """Tell whether Triton serves anything else than what is in use now."""
    try:
        key = exported_key(state.workspace(), fast_path().served)
    except UserError:
        return False  # the page says what is missing
    return key is None or key[:12] != found.get("key")


def _details(found: dict[str, Any]) -> None:
    lines = [{"model": one["name"], "state": one["state"].lower()} for one in found.get("models", [])]
    table.show(lines, {"model": "As the model repository names it"}, words=True)
    processes = [
        {
            "process": one["name"],
            "pid": str(one["pid"]),
            "MB": f"{one['mb']:,}",
            "TensorFlow": "yes" if one["tensorflow"] else "no",
        }
        for one in found["processes"]
    ]
    table.show(processes, {"MB": "Memory of its own, and its part of what several share"})
    path = state.workspace().root / "triton" / "logs" / "triton.log"
    if path.exists():
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - 4000))
            st.code(log.read().decode(errors="replace").partition("\n")[2], language=None, wrap_lines=True, height=240)
