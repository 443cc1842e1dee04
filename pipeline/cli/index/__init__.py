"""`index …`: build indexes, choose one, change their rows."""

from pipeline.cli.index import build, update  # noqa: F401
