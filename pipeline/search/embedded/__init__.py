"""The embedded Milvus server's life: supervisor, leases, a network of its own."""
