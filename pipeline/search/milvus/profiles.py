"""Servers that a person has named: URI and facts in one file, the secret in another that only its owner can read."""

import re
import statistics
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pipeline.core.errors import UserError
from pipeline.core.text import did_you_mean
from pipeline.search.catalogue import CATALOGUE
from pipeline.search.compatibility import EMBEDDED, ServerFacts, check_age, supported_names
from pipeline.search.engine import Endpoint
from pipeline.search.params import Device, validate_build
from pipeline.store.workspace import Workspace, read_json, write_json, write_secret

if TYPE_CHECKING:
    from pipeline.search.milvus.client import MilvusEngine

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_PROBE_DIM, _ASKS = 8, 20
_SCHEMES = ("http", "https", "tcp")


@dataclass(frozen=True)
class Profile:
    """A server by name, with what it answered when it was tested."""

    name: str
    uri: str
    version: str
    device: Device
    types: list[str] = field(default_factory=list)
    latency_ms: float = 0.0
    note: str = ""
    tested: str = ""

    @property
    def facts(self) -> ServerFacts:
        """Give what decides which index types it can build."""
        return ServerFacts(self.name, self.version, self.device)


def add(workspace: Workspace, name: str, uri: str, token: str) -> Profile:
    """Connect to a server, ask what it can do, and keep it under `name`; nothing is kept where that fails."""
    _check_name(name)
    _check_uri(uri)
    found = test(workspace, name, Endpoint(uri, token, embedded=False))
    write_secret(_folder(workspace) / f"{name}.token", token)
    write_json(_folder(workspace) / f"{name}.json", asdict(found))
    return found


def profiles(workspace: Workspace) -> list[Profile]:
    """List the servers that have a name, by name."""
    found = (read_json(path) for path in sorted(_folder(workspace).glob("[a-z0-9]*.json")))
    return [Profile(**entry) for entry in found if entry]


def profile(workspace: Workspace, name: str) -> Profile:
    """Find a server by its name, or raise UserError."""
    known = {p.name: p for p in profiles(workspace)}
    if name not in known:
        names = ", ".join([EMBEDDED.name, *known])
        raise UserError(
            f"There is no server '{name}': known are {names}; `server add` adds one.{did_you_mean(name, known)}"
        )
    return known[name]


def endpoint_of(workspace: Workspace, name: str) -> Endpoint:
    """Give where a named server listens, with its secret."""
    secret = _folder(workspace) / f"{profile(workspace, name).name}.token"
    return Endpoint(profile(workspace, name).uri, secret.read_text() if secret.exists() else "", embedded=False)


def retest(workspace: Workspace, name: str) -> Profile:
    """Ask a named server again what it can do, and keep the answer."""
    found = test(workspace, name, endpoint_of(workspace, name))
    write_json(_folder(workspace) / f"{name}.json", asdict(found))
    return found


def remove(workspace: Workspace, name: str) -> None:
    """Forget a server and its secret; what is on it stays."""
    profile(workspace, name)
    for path in (_folder(workspace) / f"{name}.token", _folder(workspace) / f"{name}.json"):
        path.unlink(missing_ok=True)


def test(workspace: Workspace, name: str, endpoint: Endpoint) -> Profile:
    """Ask a server for its version, its latency and, on an empty collection of ours, the index types that it takes."""
    from pipeline.search.milvus.client import MilvusEngine

    engine = MilvusEngine(endpoint, workspace.prefix)
    try:
        version = engine.version()
        check_age(version, endpoint.uri)
        took = [_ask(engine) for _ in range(_ASKS)]
        taken, note = _taken(engine, f"{workspace.prefix}probe")
    finally:
        engine.close()
    on_gpu = "gpu" in version.lower() or "GPU_CAGRA" in taken
    facts = ServerFacts(name, version, "gpu" if on_gpu else "cpu")
    types = [t for t in supported_names(facts) if t in taken or note]
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Profile(name, endpoint.uri, version, facts.device, types, statistics.median(took), note, now)


def _ask(engine: "MilvusEngine") -> float:
    begin = time.perf_counter()
    engine.version()
    return round((time.perf_counter() - begin) * 1000, 3)


def _taken(engine: "MilvusEngine", collection: str) -> tuple[list[str], str]:
    """List the index types that the server does not refuse; where we may make no collection, say so."""
    taken = []
    try:
        engine.create(collection, _PROBE_DIM, "L2")
    except UserError as error:
        return [], f"index types are those of its version, as no collection could be made there ({error})"
    try:
        for name, index in CATALOGUE.items():
            try:
                engine.declare(collection, name, validate_build(index, {}, _PROBE_DIM, 1000), "L2")
            except UserError:
                continue
            taken.append(name)
            engine.undeclare(collection)
    finally:
        engine.drop(collection)
    return taken, ""


def _folder(workspace: Workspace) -> Path:
    folder = workspace.root / "servers"
    folder.mkdir(exist_ok=True)
    return folder


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name) or name == EMBEDDED.name:
        raise UserError(
            f"'{name}' cannot name a server: take up to 40 of a to z, 0 to 9 and hyphens, not '{EMBEDDED.name}'."
        )


def _check_uri(uri: str) -> None:
    parts = urlsplit(uri)
    if "@" in parts.netloc:
        raise UserError(
            "A URI with a user or password in it ends up in logs: leave them out and give them as the token."
        )
    if parts.scheme not in _SCHEMES or not parts.hostname:
        raise UserError(f"'{uri}' is no server's URI: write it like http://127.0.0.1:19530 or https://HOST.")
