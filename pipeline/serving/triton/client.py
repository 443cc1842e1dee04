"""Ask any Triton that serves the ensemble, over gRPC: errors as sentences, one more try where a server starts again."""

import re
import time
from typing import Any

import numpy as np

from pipeline.core.arrays import Floats, Ints
from pipeline.core.errors import UserError
from pipeline.serving.ensemble.columns import answers, outputs, request
from pipeline.serving.operators.names import FINGERPRINT
from pipeline.serving.stages.answer import Answers
from pipeline.serving.stages.histories import Requests

EXECUTOR = "executor_model"  # as Merlin calls the model that runs the chain
DEADLINE_S = 10.0
TYPES = {"int64": "INT64", "int32": "INT32", "float32": "FP32"}
_AGAIN = ("unavailable", "connection", "socket closed")


class TritonClient:
    """One connection to a Triton, at HOST:PORT of its gRPC; several threads may ask at once.

    `fingerprint`: of what is asked for (`ServedModel.fingerprint`); an answer of anything else is refused.
    """

    def __init__(
        self, address: str, ranked: bool, fingerprint: int | None = None, deadline_s: float = DEADLINE_S
    ) -> None:
        from tritonclient import grpc

        self.address, self.ranked, self.fingerprint, self.deadline_s = address, ranked, fingerprint, deadline_s
        self._client = grpc.InferenceServerClient(address.removeprefix("grpc://"))

    def close(self) -> None:
        """End the connection."""
        self._client.close()

    def answer(self, keys: Ints, requests: Requests, temperature: Floats, seeds: Ints) -> Answers:
        """Answer n requests; raise UserError where Triton, Milvus or the feature store does not."""
        from tritonclient import grpc

        inputs = []
        for name, values in request(keys, requests, temperature, seeds).items():
            given = grpc.InferInput(name, list(values.shape), TYPES[str(values.dtype)])
            given.set_data_from_numpy(np.ascontiguousarray(values))
            inputs.append(given)
        wanted = [grpc.InferRequestedOutput(name) for name in outputs(self.ranked)]
        began = time.perf_counter()
        reply = self._infer(inputs, wanted)
        took = (time.perf_counter() - began) * 1000
        found = {output.name(): reply.as_numpy(output.name()) for output in wanted}
        if self.fingerprint is not None and int(found[FINGERPRINT][0]) != self.fingerprint:
            raise UserError(
                f"Triton at {self.address} serves another index, model or ranker than those in use: run "
                "`serve export` and `serve up`."
            )
        return answers(found, took)

    def _infer(self, inputs: list[Any], wanted: list[Any]) -> Any:
        from tritonclient.utils import InferenceServerException

        for attempt in (1, 2):
            try:
                return self._client.infer(EXECUTOR, inputs, outputs=wanted, client_timeout=self.deadline_s)
            except InferenceServerException as error:
                text = str(error.message() or error)
                if attempt == 2 or not any(word in text.lower() for word in _AGAIN):
                    raise UserError(told(text, self.address)) from None
                time.sleep(0.2)
        raise AssertionError("unreachable")

    def about(self) -> dict[str, Any]:
        """Give the server's version, and each model with its state; raise UserError where it does not answer."""
        from tritonclient.utils import InferenceServerException

        try:
            meta = self._client.get_server_metadata(as_json=True, client_timeout=self.deadline_s)
            index = self._client.get_model_repository_index(as_json=True, client_timeout=self.deadline_s)
        except InferenceServerException as error:
            raise UserError(told(str(error.message() or error), self.address)) from None
        models = [{"name": m["name"], "state": m.get("state", "UNAVAILABLE")} for m in index.get("models", [])]
        return {"version": meta["version"], "models": models}


def told(text: str, address: str) -> str:
    """Make a sentence of what Triton says: the operator's own, of a stack that it stands at the end of."""
    own = re.findall(r"(?:UserError|RuntimeError): (.+)", text)
    if own:
        return str(own[-1]).strip()
    lower = text.lower()
    if any(word in lower for word in _AGAIN):
        return f"Triton at {address} does not answer: see that it runs (`serve status`), then ask again."
    if "deadline" in lower:
        return (
            f"Triton at {address} took longer than the deadline: what it asks may be starting, or it has too many "
            "sessions at once; ask again, or for fewer."
        )
    if "unknown model" in lower or "not found" in lower:
        return f"Triton at {address} serves no '{EXECUTOR}': export with `serve export`, and start it on that."
    return f"Triton at {address} refused the request: {text.strip().splitlines()[-1][:300]}"
