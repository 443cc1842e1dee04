"""Serving: from a session's clicks to recommended items."""

import os

os.environ["FEAST_USAGE"] = "False"  # before anything here, or Merlin, imports Feast: it tells its makers what it does
