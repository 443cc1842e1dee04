"""Merlin Models' DLRM as a ranker of what another model retrieves."""
