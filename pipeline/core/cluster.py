"""A Dask cluster that somebody started: reached by its scheduler's address."""

from typing import TYPE_CHECKING

from pipeline.core.errors import UserError

if TYPE_CHECKING:
    from distributed import Client

_CONNECT_S = 8


def connect(scheduler: str, *, as_default: bool) -> "Client":
    """Connect to a scheduler, `as_default` for libraries that take whichever client there is.

    Raises UserError where none answers, and where it has no workers.
    """
    from distributed import Client

    try:
        client = Client(scheduler, timeout=_CONNECT_S, set_as_default=as_default)
    except (OSError, ValueError) as error:
        raise UserError(
            f"No Dask scheduler answers at {scheduler}: start one with `dask scheduler`, and workers with "
            f"`dask worker {scheduler}`."
        ) from error
    if not client.scheduler_info()["workers"]:
        client.close()
        raise UserError(f"The Dask scheduler {scheduler} has no workers: start some with `dask worker {scheduler}`.")
    return client
