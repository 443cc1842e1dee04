"""Which index types a server can build, told before it is asked, with the way out."""

from dataclasses import dataclass

from pipeline.core.errors import UserError
from pipeline.search.catalogue import CATALOGUE
from pipeline.search.params import Device, IndexType

EMBEDDED_VERSION = "2.3.5"  # of the PyPI package `milvus`, see requirements.in


@dataclass(frozen=True)
class ServerFacts:
    """What decides whether a server can build an index type."""

    name: str
    version: str
    device: Device = "cpu"
    embedded: bool = False


EMBEDDED = ServerFacts("embedded", EMBEDDED_VERSION, embedded=True)


OLDEST = (2, 3)  # of the servers that the client (pymilvus 2.5) and the searches here are tested with


def check_age(version: str, uri: str) -> None:
    """Refuse a server that is older than what this product speaks to; one that tells no version is taken as it is."""
    found = release(version)
    if (0, 0) < found < OLDEST:
        raise UserError(f"Milvus {version} at {uri} is too old: use {OLDEST[0]}.{OLDEST[1]} or newer.")


def release(version: str) -> tuple[int, int]:
    """Read (major, minor) of a version such as 'v2.3.5-lite'; (0, 0) where there is none."""
    numbers = [part for part in version.lstrip("v").split("-")[0].split(".") if part.isdigit()]
    return (int(numbers[0]), int(numbers[1])) if len(numbers) > 1 else (0, 0)


def why_not(index: IndexType, server: ServerFacts) -> str | None:
    """Say why `server` cannot build `index` and what to do, or give None where it can."""
    where = f"the server '{server.name}' (Milvus {server.version}, {server.device.upper()})"
    if index.device == "gpu" and server.device != "gpu":
        return (
            f"{index.name} needs a Milvus on a GPU, and {where} has none: start one with `docker compose -f "
            "compose.milvus.yaml --env-file milvus.env --profile gpu up`, or add yours with `server add`."
        )
    known = release(server.version)
    if known != (0, 0) and known < index.since:
        return (
            f"{index.name} came with Milvus {index.since[0]}.{index.since[1]}, and {where} is older: choose HNSW, "
            "IVF_FLAT or FLAT, or another server."
        )
    if server.embedded and index.not_embedded:
        return (
            f"{index.name} cannot be built on {where}: {index.not_embedded}; add a Milvus standalone with `server add`."
        )
    return None


def supported_names(server: ServerFacts) -> list[str]:
    """List the index types that a server can build."""
    return [name for name, index in CATALOGUE.items() if why_not(index, server) is None]
