"""Measures of a ranking, and how far they may be off."""
