"""How both parts of the sessions are encoded and written: by Polars, or by NVTabular; row for row the same."""
