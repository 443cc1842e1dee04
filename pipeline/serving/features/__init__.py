"""Features: what is known of sessions and items, looked up by key while a request is answered (Feast)."""
