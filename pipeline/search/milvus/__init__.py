"""The client of any Milvus server."""
