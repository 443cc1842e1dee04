"""Vector search: the catalogue of index types, the embedded Milvus server, and the engine that talks to one."""
