"""The libraries underneath a vector database, behind the protocol that Milvus answers to."""
