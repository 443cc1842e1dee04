"""Trainings of a quick model on a few sessions."""

import pytest

from pipeline.store.workspace import Workspace
from tests.training.trained import write_data


@pytest.fixture
def prepared(workspace: Workspace) -> Workspace:
    write_data(workspace)
    return workspace
