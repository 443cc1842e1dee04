"""Triton in this workspace: one tritonserver under a supervisor, started by leases; any other one by its address."""
