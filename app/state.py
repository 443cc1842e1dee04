"""What a page needs to know: the workspace, values in the URL, tables kept in memory, the hold on Milvus."""

import os
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import streamlit as st
from threadpoolctl import threadpool_limits

from app import url
from pipeline.core.columns import DEFAULT_MODEL
from pipeline.core.errors import UserError
from pipeline.search.compatibility import EMBEDDED
from pipeline.search.embedded import server
from pipeline.search.embedded.leases import Lease, take
from pipeline.search.engine import Database, Endpoint
from pipeline.store.snapshot import once
from pipeline.store.workspace import DEFAULT_ROOT, WORKSPACE_VARIABLE, Workspace
from pipeline.workspaces.places import names

if TYPE_CHECKING:
    from pipeline.search.milvus.client import MilvusEngine
    from pipeline.serving.recommender import Recommender


CHOSEN = "workspace"  # in the session's state: the name of the workspace that a visitor chose


def workspace() -> Workspace:
    """Open the workspace that this visitor is in."""
    return once(("workspace", root()), lambda: Workspace.open(root()))


def start() -> Path:
    """Give the folder of the workspace that the app starts with."""
    return Path(os.environ.get(WORKSPACE_VARIABLE) or DEFAULT_ROOT).expanduser().absolute()


def root() -> Path:
    """Give the folder of the workspace that this visitor is in; the one that the app starts with where that is gone."""
    chosen = st.session_state.get(CHOSEN)
    return once(("root", chosen), lambda: names(start()).get(chosen, start())) if chosen else start()


def mode() -> str:
    """Give 'light' or 'dark', as the browser shows the app."""
    return "dark" if st.context.theme.type == "dark" else "light"


@st.cache_data(max_entries=24, show_spinner=False)
def _parquet(path: str, key: str) -> pl.DataFrame:
    return pl.read_parquet(path)


def table(name: str, file: str) -> pl.DataFrame | None:
    """Read a stage's Parquet file, kept in memory until the stage runs again; None where it has not run."""
    manifest = workspace().manifest(name)
    return None if manifest is None else _parquet(str(workspace().stage(name) / file), manifest["key"])


@st.cache_resource(max_entries=2, show_spinner=False)
def _recommender(root: str, model: str, key: str) -> "Recommender":
    from pipeline.serving.recommender import Recommender

    threadpool_limits(1, user_api="blas")  # an answer's products are small: more threads would spin, and others wait
    return Recommender(Workspace.open(root), model)


def model() -> str:
    """Give the model that a page speaks of: the URL's, else the usual one."""
    return url.value("model", usual_model(), url.one_of(_with_vectors()))


def usual_model() -> str:
    """Give the default model, or another that is trained where that is not."""
    from pipeline.training.train import trained

    ready = [name for name in trained(workspace()) if name in _with_vectors()]
    return DEFAULT_MODEL if DEFAULT_MODEL in ready or not ready else ready[0]


def _with_vectors() -> list[str]:
    from pipeline.models.registry import KINDS

    return [name for name, kind in KINDS.items() if kind.has_vectors]


def recommender() -> "Recommender | None":
    """Give the page's model ready to answer, or None where it is not trained."""
    opened, name = workspace(), model()
    manifest = opened.manifest(f"models/{name}")
    if manifest is None:
        return None
    found = _recommender(str(opened.root), name, manifest["key"])
    if found.now.key != manifest["key"]:  # another training was published since the draw began: it has its own place
        _recommender.clear()
    return found


_PATIENCE_S = 45.0  # of a page: its visitor reads a sentence then, and goes on elsewhere


@dataclass
class _Line:
    """The app's connection to one server; whoever connects holds the lock, and so nobody who asks another server."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    engine: "MilvusEngine | None" = None


class Hold:
    """The app's hold on the Milvus server: taken in a thread, so that no page waits for the start."""

    def __init__(self, opened: Workspace) -> None:
        self.workspace = opened
        self._lines: dict[str, _Line] = {}  # by the server's name
        self._lease: Lease | None = None
        if server.server_name() == EMBEDDED.name:
            self._lease = take(server.home(opened), "the app")
            threading.Thread(target=self._start, daemon=True).start()

    def _start(self) -> None:
        try:
            server.ensure(self.workspace)
        except UserError as error:
            print(error)  # the page that needs the server says it too, when it asks

    def let_go(self) -> None:
        """Give the server up, so that it ends if nobody else holds it."""
        self._lines.clear()
        if self._lease is not None:
            self._lease.release()

    def engine(self, name: str) -> Database:
        """Give a connection to the server called `name`; one of the embedded server starts it again if it is gone.

        It is everybody's: it ends by itself when it was replaced and the last page that has it is done.
        """
        if name == EMBEDDED.name:
            server.ensure(self.workspace, limit_s=_PATIENCE_S)
        try:
            endpoint = server.endpoint_for(self.workspace, name)
        except UserError:
            self._lines.pop(name, None)
            raise
        line = self._lines.setdefault(name, _Line())
        if not line.lock.acquire(timeout=_PATIENCE_S):
            raise UserError(f"The server '{name}' is slow to answer: try again in a moment, or choose another server.")
        try:
            if line.engine is None or line.engine.endpoint != endpoint:
                line.engine = None
                line.engine = self._connected(endpoint)
            return line.engine
        finally:
            line.lock.release()

    def _connected(self, endpoint: Endpoint) -> "MilvusEngine":
        from pipeline.search.milvus.client import MilvusEngine

        return MilvusEngine(endpoint, "" if endpoint.embedded else self.workspace.prefix)


_holds: dict[str, Hold] = {}  # by the workspace's folder
_holding = threading.Lock()


def hold() -> Hold:
    """Give the app's one hold on the server of a visitor's workspace."""
    opened = workspace()
    with _holding:
        if str(opened.root) not in _holds:
            _holds[str(opened.root)] = Hold(opened)
        return _holds[str(opened.root)]


def let_go(folder: Path) -> None:
    """Give up the app's hold on the server of a workspace that is about to be moved."""
    with _holding:
        held = _holds.pop(str(folder), None)
    if held is not None:
        held.let_go()
