"""Indexes: built from vectors, listed by name, changed by rows that come and go."""
