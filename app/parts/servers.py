"""The choice of CPU or GPU, and of the server that has it; what is missing where there is none."""

import streamlit as st

from app import state, url
from app.parts import draw
from pipeline.bench import published
from pipeline.core.errors import UserError
from pipeline.core.text import duration
from pipeline.figures import charts
from pipeline.search.compatibility import EMBEDDED, ServerFacts
from pipeline.search.embedded import server
from pipeline.search.milvus import profiles
from pipeline.search.params import Device

_DEVICES: dict[str, Device] = {"CPU": "cpu", "GPU": "gpu"}
_RECALL = 0.95
_START = "docker compose -f compose.milvus.yaml --env-file milvus.env --profile gpu up"


def choose() -> ServerFacts | None:
    """Draw the switch and the servers of that device; give the one chosen, None where there is none."""
    left, right = st.columns([1, 2], vertical_alignment="bottom")
    shown = url.segments("device", "CPU", {"gpu": "GPU"}.get, str.lower)
    device = _DEVICES[left.segmented_control("Search on", list(_DEVICES), required=True, **shown)]
    there = {name: facts for name, facts in known().items() if facts.device == device}
    with right:
        chosen = _pick(there) if there else None
    _add()
    if chosen is None:
        _no_gpu()
    return chosen


def known() -> dict[str, ServerFacts]:
    """Give the servers by name, the usual one first."""
    default = server.server_name()
    first = EMBEDDED if default == EMBEDDED.name else ServerFacts(default, "0")
    return {first.name: first} | {p.name: p.facts for p in profiles.profiles(state.workspace())}


def _pick(there: dict[str, ServerFacts]) -> ServerFacts:
    names = list(there)
    name = st.selectbox(
        "Server",
        names,
        format_func=lambda n: f"{n} · Milvus {there[n].version}" if there[n].version != "0" else n,
        **url.choice("server", names[0], names),
    )
    return there[name]


def _add() -> None:
    with st.expander("Add a server of your own", icon=":material/dns:"), st.form("server", border=False):
        left, right = st.columns(2)
        name = left.text_input("Name", placeholder="mine")
        uri = right.text_input("URI", placeholder="http://127.0.0.1:19530 or https://HOST")
        token = st.text_input(
            "Token", type="password", help="'user:password' or an API key; saved in a file that only you can read."
        )
        if st.form_submit_button("Test and save"):
            try:
                with st.spinner("Testing the server"):
                    found = profiles.add(state.workspace(), name.strip(), uri.strip(), token.strip())
            except UserError as error:
                st.error(str(error), icon=":material/error:")
            else:
                answered = f"answers in {duration(found.latency_ms / 1000)}, builds {', '.join(found.types)}"
                st.success(f"{found.name}: Milvus {found.version} on {found.device.upper()}, {answered}.")
    for profile in profiles.profiles(state.workspace()):
        if profile.name == url.value("server", "", url.text) and profile.note:
            st.caption(profile.note)


def _no_gpu() -> None:
    with st.container(border=True):
        st.markdown(
            ":material/info: No server with a GPU is known. On a machine with an NVIDIA card and its container toolkit, "
            "start one and add it above:"
        )
        st.code(_START, language="bash", wrap_lines=True)
    best = published.best_qps(_RECALL)
    draw.figure(charts.published_devices(best, _RECALL, state.mode()))
    st.caption(
        f"Not measured here: {published.SOURCE}. Most queries per second at recall@100 of {_RECALL} or more, 1,000 queries "
        "a request; the client, not the server, limits the GPU's figures near 43,000."
    )
