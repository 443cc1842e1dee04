"""The ensemble in this process, by Merlin's local runtime: without Triton, and with TensorFlow."""

import os
import tempfile
import time
from pathlib import Path

from pipeline.core.arrays import Floats, Ints
from pipeline.search.embedded import server as milvus
from pipeline.serving.ensemble.columns import answers, request
from pipeline.serving.features.repository import base
from pipeline.serving.operators.variables import (
    ADDRESS_VARIABLE,
    REPOSITORY_VARIABLE,
    TOKEN_VARIABLE,
    URI_VARIABLE,
)
from pipeline.serving.stages.answer import Answers
from pipeline.serving.stages.histories import Requests
from pipeline.serving.stages.served import ServedModel
from pipeline.store.workspace import Workspace
from pipeline.training.train import stage_name


def addresses(workspace: Workspace, served_by: str, features: str) -> dict[str, str]:
    """Give the environment in which operators find Milvus and the feature repository; a token is nowhere else."""
    found = {REPOSITORY_VARIABLE: str(base(workspace) / features)}
    if served_by == milvus.EMBEDDED.name:
        return found | {ADDRESS_VARIABLE: str(milvus.home(workspace) / "server.json"), URI_VARIABLE: ""}
    endpoint = milvus.endpoint_for(workspace, served_by)
    return found | {URI_VARIABLE: endpoint.uri, TOKEN_VARIABLE: endpoint.token}


class LocalEnsemble:
    """Build the ensemble of what is served, and answer with it; Milvus is held by whoever asks."""

    def __init__(self, workspace: Workspace, served: ServedModel) -> None:
        from merlin.dag import postorder_iter_nodes

        from pipeline.serving.ensemble.build import build

        os.environ.update(addresses(workspace, served.index["server"], served.repository.name))
        with tempfile.TemporaryDirectory() as scratch:
            source = workspace.stage(stage_name(str(served.index["model"]))).resolve()
            self.ensemble = build(served, source, Path(scratch))
            artifacts = Path(scratch) / "artifacts"
            artifacts.mkdir()
            nodes = list(postorder_iter_nodes(self.ensemble.graph.output_node, flatten_subgraphs=True))
            for node in nodes:
                node.op.save_artifacts(str(artifacts))
            for node in nodes:
                node.op.load_artifacts(str(artifacts))

    def answer(self, keys: Ints, requests: Requests, temperature: Floats, seeds: Ints) -> Answers:
        """Answer n requests; raise UserError for what cannot be answered."""
        from merlin.dag.runtime import Runtime
        from merlin.table import TensorTable

        began = time.perf_counter()
        table = TensorTable(request(keys, requests, temperature, seeds))
        found = self.ensemble.transform(table, runtime=Runtime())
        return answers(found.to_dict(), (time.perf_counter() - began) * 1000)
