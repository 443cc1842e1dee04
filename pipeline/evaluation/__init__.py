"""Evaluation: how well models recommend the next click, exactly and through an index."""
