"""The command line; heavy packages are imported by the commands that need them."""

import sys

from typer.exceptions import Abort, TyperException

# Each module adds its commands to `app` when it is imported.
from pipeline.cli import (  # noqa: F401
    admin,
    bench,
    data,
    evaluation,
    features,
    index,
    libraries,
    prices,
    query,
    recommend,
    run,
    serve,
    servers,
    stages,
    trainings,
    vectors,
    workspaces,
)
from pipeline.cli.shared import commands  # noqa: F401
from pipeline.cli.shared.base import app
from pipeline.jobs.job import CANCELLED
from pipeline.jobs.process import CODES, end_job


def main() -> None:
    """Run the command line; what it refuses to read, it says as it always does, and in the job that it is."""
    try:
        code = app(standalone_mode=False)
    except TyperException as refusal:
        refusal.show()  # type: ignore[attr-defined]  # with the usage, as all that the parser refuses
        end_job(refusal.exit_code, f"The command could not be read: {refusal.format_message()}")
        sys.exit(refusal.exit_code)
    except Abort:
        end_job(CODES["cancelled"], CANCELLED)
        sys.exit(CODES["cancelled"])
    sys.exit(code)
