"""The pipeline as a whole: all stages in order, what stands, and what the machine lacks."""
