"""What serving in four stages costs: the load generator asks the fast path and Triton instead of Milvus."""
