"""The command line; heavy packages are imported by the commands that need them."""

# Each module adds its commands to `app` when it is imported.
from pipeline.cli import (  # noqa: F401
    admin,
    answers,
    bench,
    benchruns,
    changes,
    data,
    evaluation,
    indexes,
    libraries,
    prices,
    querying,
    servers,
    stages,
    trainings,
    vectors,
)
from pipeline.cli.base import app


def main() -> None:
    """Run the command line."""
    app()
