"""Models: what turns a session's clicks into a ranking of the catalogue."""
