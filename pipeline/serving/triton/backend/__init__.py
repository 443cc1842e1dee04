"""What runs inside tritonserver's Python processes."""
