"""Vectors of items and sessions: a model's, imported ones, and those of new items."""
