"""A request to Triton as others would send it: JSON, a `curl` command, and Python."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.serving.operators.names import KEPT, ORDER, RANKED, SCORES
from pipeline.serving.triton.client import EXECUTOR, TYPES

_PYTHON = """import numpy as np
from tritonclient import grpc
from tritonclient.utils import np_to_triton_dtype

request = {{
{columns}
}}
inputs = []
for name, values in request.items():
    given = grpc.InferInput(name, list(values.shape), np_to_triton_dtype(values.dtype))
    given.set_data_from_numpy(values)
    inputs.append(given)
reply = grpc.InferenceServerClient("{address}").infer("{model}", inputs)
kept, scores, order = (reply.as_numpy(name)[0] for name in {outputs})
print([(int(kept[at]), round(float(scores[at]), 4)) for at in order if kept[at] >= 0][:{k}])
"""


def as_json(columns: Mapping[str, Any], ranked: bool) -> dict[str, Any]:
    """Write a request's columns as KServe's inference protocol has them, which Triton speaks."""
    inputs = [
        {"name": name, "shape": list(values.shape), "datatype": TYPES[str(values.dtype)], "data": values.tolist()}
        for name, values in columns.items()
    ]
    return {"inputs": inputs, "outputs": [{"name": name} for name in _outputs(ranked)]}


def as_curl(columns: Mapping[str, Any], ranked: bool, http: str) -> str:
    """Write a command that asks a Triton at HOST:PORT of its HTTP."""
    body = json.dumps(as_json(columns, ranked))
    return f"curl -s http://{http}/v2/models/{EXECUTOR}/infer -d '{body}'"


def as_python(columns: Mapping[str, Any], ranked: bool, grpc: str, k: int) -> str:
    """Write a script that asks a Triton at HOST:PORT of its gRPC and prints the best k keys with their scores."""
    lines = [f'    "{name}": np.array({values.tolist()}, np.{values.dtype}),' for name, values in columns.items()]
    return _PYTHON.format(columns="\n".join(lines), address=grpc, model=EXECUTOR, outputs=tuple(_outputs(ranked)), k=k)


def _outputs(ranked: bool) -> list[str]:
    return [KEPT, RANKED if ranked else SCORES, ORDER]


def read_answer(reply: Mapping[str, Any]) -> dict[str, Any]:
    """Read a reply in JSON: {output: its rows}."""
    return {one["name"]: np.array(one["data"]).reshape(one["shape"]).tolist() for one in reply["outputs"]}
