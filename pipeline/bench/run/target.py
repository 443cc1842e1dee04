"""The server of a run: connected, asked whether it lives, and connected again when it has been away."""

import time
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from pipeline.bench.load.access import target
from pipeline.bench.load.fleet import Fleet
from pipeline.bench.load.messages import Target
from pipeline.bench.load.workers import WorkersFleet
from pipeline.core.errors import UserError
from pipeline.core.progress import Progress, silent
from pipeline.core.text import duration
from pipeline.search.compatibility import EMBEDDED
from pipeline.search.embedded import server
from pipeline.search.milvus.client import MilvusEngine
from pipeline.store.workspace import Workspace

PATIENCE_S = 120.0  # for a server that is away


class Served:
    """An engine and client processes on one server, which are made anew when it comes back after its end."""

    def __init__(self, workspace: Workspace, name: str, what: str, progress: Progress = silent, dask: str = "") -> None:
        """Choose the server called `name`; with a `dask` scheduler, its workers start the clients."""
        self.workspace, self.name, self.what, self.progress, self.dask = workspace, name, what, progress, dask
        self.patience_s = PATIENCE_S
        self.fleet: Fleet | WorkersFleet

    def __enter__(self) -> Self:
        self._lease = server.lease(self.workspace, self.what, self.progress) if self.embedded else None
        try:
            self._connect()
        except BaseException:
            self._release()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()
        self._release()

    @property
    def embedded(self) -> bool:
        """Tell whether it is the workspace's own server."""
        return self.name == EMBEDDED.name

    @property
    def home(self) -> Path | None:
        """Give the folder of the workspace's own server."""
        return server.home(self.workspace) if self.embedded else None

    def back(self) -> bool:
        """Wait until the server answers; True where it has been away, so that collections must be loaded again.

        Raises UserError where it stays away.
        """
        with suppress(UserError):
            if self._target() == self.target:
                self.engine.version()
                return False
        deadline = time.monotonic() + self.patience_s
        self._opened.close()
        while True:
            try:
                if self.embedded:
                    server.ensure(self.workspace, limit_s=max(1.0, deadline - time.monotonic()))
                self._connect()
                self.engine.collections()
            except UserError as error:
                if time.monotonic() > deadline:
                    raise UserError(
                        f"Milvus was away for {duration(self.patience_s)} in mid-sweep ({error}) The points before are "
                        "kept: start it again and go on with the same command."
                    ) from error
                time.sleep(0.5)
            else:
                return True

    def restart(self) -> None:
        """End the workspace's own server with whatever it builds, and connect to the next one."""
        self._opened.close()
        server.restart(self.workspace)
        self._connect()

    def _target(self) -> Target:
        return target(self.workspace, server.endpoint_for(self.workspace, self.name))

    def _connect(self) -> None:
        self._opened = ExitStack()
        self.target = self._target()
        endpoint = server.endpoint_for(self.workspace, self.name)
        self.engine = MilvusEngine(endpoint, "" if endpoint.embedded else self.workspace.prefix)
        self._opened.callback(self.engine.close)
        self.fleet = WorkersFleet(self.target, self.dask) if self.dask else Fleet(self.target)
        self._opened.callback(self.fleet.close)

    def _release(self) -> None:
        if self._lease is not None:
            self._lease.release()
