"""The command line; heavy packages are imported by the commands that need them."""

from pipeline.cli import admin, indexes, libraries, prices, querying, servers, stages, vectors
from pipeline.cli.base import app

__all__ = ["admin", "app", "indexes", "libraries", "main", "prices", "querying", "servers", "stages", "vectors"]


def main() -> None:
    """Run the command line."""
    app()
