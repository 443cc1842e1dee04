"""Runs: what a sweep or a tuning measures, point by point."""
