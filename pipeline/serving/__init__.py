"""Serving: from a session's clicks to recommended items."""
