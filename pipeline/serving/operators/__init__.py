"""Operators for Merlin Systems: what an ensemble needs to answer from Milvus, and Merlin has not.

Each is a `merlin.dag.BaseOperator` with a schema in and out, is pickled with the ensemble that it stands in, and reads
its artifacts when that is loaded, in Triton's Python backend as in Merlin's local runtime.
"""
