"""`serve …`: what answers in several stages, exported for Triton, run and asked."""

from pipeline.cli.serve import ask, export, life, load  # noqa: F401  each adds its commands
