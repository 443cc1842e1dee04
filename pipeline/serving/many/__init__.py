"""Recommendations for every session of a log, written to a file."""
