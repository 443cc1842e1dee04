"""The published two-tower model as the notebooks make it with Merlin Models: what ours is held against."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.models.two_tower_published.network import LAYERS, SIDES, ClickRows, PublishedNetwork

COLUMNS = {"session": "user_id", "age": "user_age", "item": "item_id", "category": "item_category"}


def build(sizes: dict[str, int]) -> Any:
    """Build and compile mm.TwoTowerModel as published; `sizes`: rows of each table."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import merlin.models.tf as mm

    model = mm.TwoTowerModel(
        schema(sizes),
        query_tower=mm.MLPBlock(list(LAYERS), no_activation_last_layer=True),
        samplers=[mm.InBatchSampler()],
        embedding_options=mm.EmbeddingOptions(infer_embedding_sizes=True),
    )
    model.compile(
        optimizer="adam",
        run_eagerly=False,
        loss="categorical_crossentropy",
        metrics=[mm.RecallAt(10), mm.NDCGAt(10)],
    )
    return model


def schema(sizes: dict[str, int]) -> Any:
    """Describe the columns as NVTabular's Categorify and tags do."""
    from merlin.schema import ColumnSchema, Schema, Tags

    tags = {
        "session": [Tags.USER, Tags.USER_ID],
        "age": [Tags.USER],
        "item": [Tags.ITEM, Tags.ITEM_ID],
        "category": [Tags.ITEM],
    }
    return Schema(
        [
            ColumnSchema(
                COLUMNS[name],
                [*tags[name], Tags.CATEGORICAL],
                {"domain": {"min": 0, "max": rows - 1, "name": COLUMNS[name]}},
                dtype=np.int32,
            )
            for name, rows in sizes.items()
        ]
    )


def dataset(rows: ClickRows, path: Path, sizes: dict[str, int]) -> Any:
    """Write clicks as Parquet and open them as the notebooks do."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from merlin.io import Dataset

    pq.write_table(pa.table({column: getattr(rows, name) for name, column in COLUMNS.items()}), path)
    return Dataset(str(path), engine="parquet", part_size="500MB", schema=schema(sizes))


def copy_weights(model: Any, network: PublishedNetwork) -> None:
    """Give our network the weights of Merlin's, which must be of the same shapes."""
    block = model.retrieval_block
    for side, tower in (("query", block.query_block()), ("item", block.item_block())):
        tables = next(m.embedding_tables for m in tower.submodules if getattr(m, "embedding_tables", None))
        for name in SIDES[side]:
            found = tables[COLUMNS[name]].embeddings.numpy()
            assert found.shape == network.tables[name].values.shape
            network.tables[name].values = found
        dense = [w.numpy() for w in tower.trainable_weights if "embeddings" not in w.name]
        assert [w.shape for w in dense] == [w.shape for w in network.towers[side].weights]
        network.towers[side].weights = dense
