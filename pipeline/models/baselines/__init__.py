"""Baselines without training by gradient: item to item, and session to session."""
