"""Vector search: the protocol of all engines, and the catalogue of index types."""
