"""The two-tower model as published, which knows a session by its id."""
