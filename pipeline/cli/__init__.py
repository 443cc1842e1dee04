"""The command line; heavy packages are imported by the commands that need them."""

# Each module adds its commands to `app` when it is imported.
from pipeline.cli import admin, answers, bench, changes, indexes, libraries, prices, querying, servers, stages, vectors  # noqa: F401
from pipeline.cli.base import app


def main() -> None:
    """Run the command line."""
    app()
