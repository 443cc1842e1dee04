"""The session encoder: attention over the clicks, trained over the whole catalogue."""
