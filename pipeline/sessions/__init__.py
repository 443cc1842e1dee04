"""Sessions: split into training and test, encoded by NVTabular, and their histories as arrays."""
