"""`bench …`: run, list, and ask what runs say."""

from pipeline.cli.bench import answers, run, runs  # noqa: F401
