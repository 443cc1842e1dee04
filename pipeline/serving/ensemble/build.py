"""The ensemble of what is served: one chain of operators, of which two are Merlin's own PredictTensorflow."""

from pathlib import Path
from typing import Any

import numpy as np
from merlin.schema import ColumnSchema, Schema
from merlin.systems.dag import Ensemble
from merlin.systems.dag.ops.tensorflow import PredictTensorflow

from pipeline.models.two_tower.kind import Towers
from pipeline.serving.ensemble.saved_models import save_dlrm, save_tower
from pipeline.serving.operators.encode_session import EncodeSession, LayOutClicks
from pipeline.serving.operators.feast_lookup import CandidateFeatures, SessionFeatures
from pipeline.serving.operators.filter_seen import FilterSeen
from pipeline.serving.operators.names import RANKED, SCORES
from pipeline.serving.operators.pair_features import PairFeatures
from pipeline.serving.operators.query_milvus import QueryMilvus
from pipeline.serving.operators.softmax_sampling import SoftmaxSampling
from pipeline.serving.stages.served import ServedModel

REQUEST = Schema(
    [
        ColumnSchema("session_key", dtype=np.int64, dims=(None,)),
        ColumnSchema("history", dtype=np.int64, dims=(None, None)),
        ColumnSchema("temperature", dtype=np.float32, dims=(None,)),
        ColumnSchema("seed", dtype=np.int64, dims=(None,)),
    ]
)
HISTORY = ["history"]


class _Chain:
    """Operators one after the other, with the schema that the next one meets."""

    def __init__(self) -> None:
        self.node: Any = REQUEST.column_names
        self.schema: Schema = REQUEST

    def then(self, operator: Any) -> None:
        """Add one of our operators; one that reads the history gets it from the request again."""
        begins = self.schema
        if "history" not in begins.column_names:
            begins = begins + REQUEST.select_by_name("history")
            self.node = self.node + HISTORY
        self.node = self.node >> operator
        self.schema = operator.compute_output_schema(begins, None)

    def predict(self, path: Path) -> None:
        """Add Merlin's PredictTensorflow over a SavedModel that was made for the schema here."""
        operator = PredictTensorflow(str(path))
        self.node = self.node >> operator
        self.schema = operator.output_schema


def build(served: ServedModel, source: Path, scratch: Path) -> Ensemble:
    """Build the ensemble; source: the folder of the index's model; SavedModels are written into `scratch`."""
    chain, model, top_k = _Chain(), served.index["model"], served.candidates
    encoder = served.known.encoder
    chain.then(SessionFeatures(model))
    if isinstance(encoder, Towers):
        chain.then(LayOutClicks(model, source))
        save_tower(encoder.towers.query, chain.schema, scratch / "tower")
        chain.predict(scratch / "tower")
    else:
        chain.then(EncodeSession(model, source, encoder.vectors.shape[1]))
    chain.then(QueryMilvus(served.index["collection"], top_k, served.search, served.index["metric"]))
    chain.then(FilterSeen(len(served.known.catalogue), top_k))
    if served.ranker is not None:
        network = served.ranker.network
        assert network is not None  # else there is no ranker (find_served)
        chain.then(CandidateFeatures(top_k))
        chain.then(PairFeatures(model, served.ranker.features, top_k))
        save_dlrm(network, chain.schema, scratch / "dlrm")
        chain.predict(scratch / "dlrm")
    chain.then(SoftmaxSampling(top_k, RANKED if served.ranker is not None else SCORES, served.fingerprint))
    return Ensemble(chain.node, REQUEST)
