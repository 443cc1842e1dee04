"""Merlin Models' two-tower retrieval over the session's clicks."""
