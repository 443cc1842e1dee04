"""The form that builds an index: vectors, type and parameters from the catalogue, and what it would take."""

from typing import Any

import streamlit as st

from app import refused, state, tray, url
from app.errors import errors
from pipeline.core.errors import UserError
from pipeline.core.text import duration, size
from pipeline.indexes.build import IndexConfig
from pipeline.indexes.work import of_build
from pipeline.jobs.past import Past
from pipeline.jobs.pieces import seconds_of
from pipeline.models.registry import KINDS
from pipeline.search.catalogue import CATALOGUE, MIN_INDEXED_ROWS
from pipeline.search.compatibility import EMBEDDED, ServerFacts, supported_names, why_not
from pipeline.search.params import IndexType, Param, Value, Values, estimate, format_params
from pipeline.vectors.imported import check_name


def form(server: ServerFacts) -> None:
    """Draw the form; its button starts a job."""
    with st.container(border=True), refused.below("build"):
        model, vectors, rows, dim = _vectors()
        chosen = _type(server)
        values = _parameters(chosen, rows, dim)
        metric, label = _more(chosen, model)
        takes = estimate(chosen, values, dim, rows)
        takes_s = seconds_of(of_build(chosen, values, rows, dim, server.name == EMBEDDED.name), Past(state.workspace()))
        if rows < MIN_INDEXED_ROWS:
            st.caption(
                f":material/info: {rows:,} vectors: Milvus builds no index under about {MIN_INDEXED_ROWS:,} rows and compares "
                "with every one, so all types give the same answers."
            )
        st.markdown(f"**Estimate:** {size(takes.memory_bytes)} of memory, about {duration(takes_s)} to build")
        if refusal := _refusal(label):
            st.error(refusal, icon=":material/error:")
        text, why = f"Build {chosen.name} over {rows:,} {vectors}", refusal or None
        if st.button(text, type="primary", disabled=bool(refusal), help=why):
            command = ["index", "build", "--index", chosen.name, "--vectors", vectors, "--model", model]
            command += ["--build", format_params(values), "--metric", metric, "--server", server.name]
            tray.launch([*command, *(["--label", label] if label else [])], f"build {chosen.name} of {vectors}")


def _refusal(label: str) -> str:
    """Say why no index can have this label, '' where one can."""
    try:
        IndexConfig(label=label)
    except UserError as error:
        return str(error)
    return ""


def _vectors() -> tuple[str, str, int, int]:
    """Choose vectors; give model, entity, rows and dim."""
    stages = {name.split("/")[-1]: state.workspace().manifest(name) for name in state.workspace().stages("vectors")}
    choices = {
        f"{model}/{entity}": manifest["metrics"]
        for model, manifest in stages.items()
        if manifest
        for entity in ("items", "sessions")
        if entity in manifest["metrics"]
    }
    usual = f"{state.model()}/items"
    names = list(choices)
    shown = url.choice("vectors", usual if usual in names else names[0], names)
    left, _ = st.columns([2, 1])
    name = left.selectbox(
        "Vectors",
        names,
        format_func=lambda n: _vectors_label(n, choices[n]),
        **shown,
    )
    _bring()
    model, entity = name.split("/")
    return model, entity, int(choices[name][entity]), int(choices[name]["dim"])


def _bring() -> None:
    box = st.expander("Import your own vectors", icon=":material/upload_file:")
    with refused.below("import"), box, st.form("bring", border=False):
        left, right = st.columns([2, 1])
        path = left.text_input("Path on this machine", placeholder="vectors.npy, .npz, .parquet, .csv or .hdf5")
        name = right.text_input("Name of the vectors", placeholder="mine")
        if st.form_submit_button("Import") and path and name:
            with errors():
                check_name(name)
                tray.launch(["vectors", "import", path, "--name", name], f"import {name}")


def _vectors_label(name: str, metrics: dict[str, Any]) -> str:
    model, entity = name.split("/")
    title = KINDS[model].title if model in KINDS else model
    return f"{metrics[entity]:,} {entity} of {title}, {metrics['dim']} dimensions"


def _type(server: ServerFacts) -> IndexType:
    names = supported_names(server)
    usual = "HNSW" if server.device == "cpu" else "GPU_CAGRA"
    shown = url.segments(
        "type", usual if usual in names else names[0], url.one_of(names), key=f"url-type-{server.name}"
    )
    name = str(st.segmented_control("Index type", names, required=True, **shown))
    st.caption(f"{CATALOGUE[name].summary} {CATALOGUE[name].when_to_use}")
    refused = {n: why_not(index, server) for n, index in CATALOGUE.items() if n not in names}
    with st.expander(f"{len(refused)} more types that this server cannot build"):
        for reason in refused.values():
            st.caption(str(reason))
    return CATALOGUE[name]


def _parameters(chosen: IndexType, rows: int, dim: int) -> dict[str, Value]:
    """Draw a field for each build parameter of the catalogue's entry; give what is chosen."""
    context: Values = {"rows": rows, "dim": dim}
    values: dict[str, Value] = {}
    columns = st.columns(max(len(chosen.build), 3))
    for column, param in zip(columns, chosen.build, strict=False):
        values[param.name] = _field(column, param, {**context, **values}, f"{chosen.name}-{param.name}-{rows}")
    return values


def _field(column: Any, param: Param, context: Values, key: str) -> Value:
    text = f"{param.meaning} {param.effect}"
    default = param.fitting(context)
    if param.kind == "bool":
        return bool(column.toggle(param.name, bool(default), help=text, key=key))
    if param.kind == "choice":
        return str(column.selectbox(param.name, param.choices, param.choices.index(str(default)), help=text, key=key))
    low, high = param.limits(context)
    if param.divides and param.divides in context:
        fitting = [d for d in range(1, int(high) + 1) if int(context[param.divides]) % d == 0]
        return int(column.selectbox(param.name, fitting, fitting.index(int(default)), help=text, key=key))
    return int(column.number_input(param.name, int(low), int(high), int(default), help=text, key=key))


def _more(chosen: IndexType, model: str) -> tuple[str, str]:
    with st.expander("Metric and label"):
        left, right = st.columns(2)
        metrics = list(chosen.metrics)
        metric = left.selectbox(
            "Metric",
            metrics,
            metrics.index("IP"),
            help="The models score by dot product (IP); another metric ranks differently.",
        )
        label = right.text_input(
            "Label",
            placeholder="e.g. m32",
            help="Add a label to keep several indexes of the same type: up to 30 of a to z, 0 to 9 and hyphens.",
        )
    return metric, label.strip()
