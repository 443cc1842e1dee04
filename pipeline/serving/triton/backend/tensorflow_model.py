"""Triton's `tensorflow` backend, in Python: serve a `model.savedmodel` as Merlin exports it.

The tritonserver of nvidia-pytriton carries no TensorFlow backend; Triton takes one that is a `model.py` beside the
Python backend (its "Python-based backends").
"""

import json
import os
import sys
from typing import Any

import triton_python_backend_utils as pb_utils  # type: ignore[import-not-found]  # only inside tritonserver

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
if sys.modules.get("tensorflow") is None:
    sys.modules.pop("tensorflow", None)  # keep_out.py keeps it out of the other processes

import tensorflow as tf


class TritonPythonModel:
    """Answer with the model's signature 'serving_default'."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the SavedModel of the version that is served."""
        tf.config.threading.set_intra_op_parallelism_threads(2)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        config = json.loads(args["model_config"])
        self.inputs = [entry["name"] for entry in config["input"]]
        self.outputs = [entry["name"] for entry in config["output"]]
        path = os.path.join(args["model_repository"], args["model_version"], "model.savedmodel")
        self.model = tf.saved_model.load(path)
        self.call = self.model.signatures["serving_default"]

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer each request; what goes wrong is told in its own response."""
        return [self._answer(request) for request in requests]

    def _answer(self, request: Any) -> Any:
        try:
            given = {
                name: tf.constant(pb_utils.get_input_tensor_by_name(request, name).as_numpy()) for name in self.inputs
            }
            found = self.call(**given)
            return pb_utils.InferenceResponse([pb_utils.Tensor(name, found[name].numpy()) for name in self.outputs])
        except Exception as error:  # one request's error is no other's
            return pb_utils.InferenceResponse(error=pb_utils.TritonError(f"{type(error).__name__}: {error}"))
