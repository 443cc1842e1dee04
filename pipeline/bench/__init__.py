"""Recall–QPS benchmarks that measure the server and say how far the client limited a figure."""
