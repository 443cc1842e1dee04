"""The command line; heavy packages are imported by the commands that need them."""

from pipeline.cli import admin, changes, indexes, libraries, querying, servers, stages
from pipeline.cli.base import app

__all__ = ["admin", "app", "changes", "indexes", "libraries", "main", "querying", "servers", "stages"]


def main() -> None:
    """Run the command line."""
    app()
