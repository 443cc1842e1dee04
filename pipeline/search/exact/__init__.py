"""Exact nearest neighbours of float32 vectors as stored."""
