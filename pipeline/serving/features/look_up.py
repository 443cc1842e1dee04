"""What the online store knows of one item or one session, by the ids that people use."""

import math
from typing import Any

import numpy as np
import polars as pl

from pipeline.core.columns import ITEM_ID, ITEM_IDX
from pipeline.core.errors import UserError
from pipeline.core.text import did_you_mean
from pipeline.serving.features.online import FeatureColumns, OnlineFeatures
from pipeline.serving.features.repository import find_repository
from pipeline.serving.features.tables import session_key
from pipeline.sessions import preprocess
from pipeline.store.workspace import Workspace


def item_features(workspace: Workspace, item: str) -> dict[str, Any]:
    """Give {item, features}; raise UserError for one that training has not seen."""
    catalogue = preprocess.load_catalogue(workspace)
    ids = catalogue[ITEM_ID].cast(pl.String)
    rows = ids.eq(item).arg_true()
    if not len(rows):
        raise UserError(
            f"Item '{item}' is not among the {catalogue.height:,} items of training.{did_you_mean(item, ids)}"
        )
    found = OnlineFeatures(find_repository(workspace)).items(np.array([catalogue[ITEM_IDX][int(rows[0])]], np.int64))
    return {"item": item, "features": _first(found)}


def session_features(workspace: Workspace, session: str) -> dict[str, Any]:
    """Give {session, features}; raise UserError for one that is not online."""
    found = _first(OnlineFeatures(find_repository(workspace)).sessions(np.array([session_key(session)], np.int64)))
    if found["length"] is None:
        raise UserError(
            f"Session '{session}' is not in the online store: it holds test sessions, and all of them after "
            "`features materialize --sessions all`."
        )
    return {"session": session, "features": found}


def _first(columns: FeatureColumns) -> dict[str, float | None]:
    return {name: None if math.isnan(values[0]) else round(float(values[0]), 6) for name, values in columns.items()}
