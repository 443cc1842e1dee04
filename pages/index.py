"""Index: choose server, vectors, type and parameters; build; see what each index costs and finds; compare two."""

import streamlit as st

from app import freshness, making, refused, state, tray
from app.errors import errors
from app.index import actions, build_form, built, foreign
from app.parts import layout, servers
from pipeline.core.text import number
from pipeline.search.embedded import server


def main() -> None:
    layout.heading(
        "Which index finds the nearest vectors fastest?",
        "Build several indexes over the same vectors and compare them; each is a collection in Milvus.",
    )
    if not state.workspace().stages("vectors"):
        if not making.show("vectors"):
            layout.empty("There are no vectors to index yet.", "train", "Train a model on the Train page")
        return
    freshness.notice(state.model())
    chosen = servers.choose()
    if chosen is not None:
        build_form.form(chosen)
    built.show()
    actions.dropped()
    if chosen is not None:
        foreign.show(chosen)
    _server()


def _server() -> None:
    found = server.status(state.workspace())
    for build in found["abandoned"]:
        st.warning(f"Milvus {build['text']}.", icon=":material/hourglass_top:")
    with refused.below("server"), st.expander("The server", icon=":material/dns:"):
        facts = [f"Milvus {found.get('version') or ''} is {found['state']}"]
        facts += [f"{number(found['memory_mb'])} MB of memory"] if "memory_mb" in found else []
        st.markdown(", ".join(facts) + ".")
        if "warning" in found:
            st.warning(found["warning"], icon=":material/lock_open:")
        if found.get("last_restart"):
            st.caption(str(found["last_restart"]))
        if found["state"] == "ready" and st.button("Restart the server", help="This also ends cancelled builds."):
            tray.launch(["milvus", "restart"], "restart Milvus")


with errors():
    main()
