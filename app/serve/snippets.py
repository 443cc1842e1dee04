"""The request as others would send it, to be pasted."""

import json

import streamlit as st

from app.serve import triton
from app.serve.asking import Asked
from pipeline.serving.ensemble.columns import request
from pipeline.serving.stages.fast import FastPath
from pipeline.serving.triton import snippets

_NOT_RUNNING = "127.0.0.1:PORT"


def show(path: FastPath, asked: Asked) -> None:
    """Draw request and answer as JSON, and the request as curl and Python."""
    ranked, prepared = path.served.ranker is not None, asked.prepared
    columns = request(prepared.keys, prepared.requests, prepared.temperature, prepared.seeds)
    found = triton.now()
    with st.expander("The request and the answer as JSON, curl and Python", icon=":material/code:"):
        if found["state"] != "ready":
            st.caption("Triton is not running: start it, and its ports stand in these lines.")
        answered, body, curl, python = st.tabs(["Answer", "Request", "curl", "Python"])
        told = asked.told | {"items": asked.told["items"][: asked.k]}
        answered.code(json.dumps(told, indent=1, ensure_ascii=False), language="json", height=320)
        body.code(json.dumps(snippets.as_json(columns, ranked)), language="json", wrap_lines=True)
        http, grpc = found.get("http", _NOT_RUNNING), found.get("grpc", _NOT_RUNNING)
        curl.code(snippets.as_curl(columns, ranked, http), language="bash", wrap_lines=True)
        python.code(snippets.as_python(columns, ranked, grpc, asked.k), language="python")
        python.caption("With `tritonclient[grpc]`, as in this project's environment. Keys are those of the index.")
