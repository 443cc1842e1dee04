"""The stages as one Merlin Systems ensemble: built, exported for Triton, and run in this process."""
