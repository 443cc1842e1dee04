"""The engine: from click logs to recommendations served by Milvus. `python -m pipeline --help` is its command line."""
