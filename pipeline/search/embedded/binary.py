"""The Milvus binary of the PyPI package `milvus`: unpacked once for a user, configured for a workspace."""

import os
import random
import socket
import tempfile
from pathlib import Path
from typing import Any

from pipeline.core.errors import UserError
from pipeline.store.workspace import write_json

_MORE_PORTS = ("peer_port", "metrics_port")  # beside those that the package knows
_PORTS = (20_000, 30_000)  # below what Linux hands out to outgoing connections


def prepare_home(home: Path) -> tuple[list[str], dict[str, str], dict[str, int]]:
    """Write the configuration under `home`; give the command, its environment and the ports chosen."""
    from milvus import MilvusServerConfig

    config = MilvusServerConfig(data_dir=str(home))
    names = [name for name in config.configurable_items if name.endswith("_port")]
    ports = dict(zip([*names, *_MORE_PORTS], _free_ports(len(names) + len(_MORE_PORTS)), strict=True))
    config.update(**{name: ports[name] for name in names})
    config.extra_configs["common.security.authorizationEnabled"] = "true"
    config.extra_configs["common.gracefulStopTimeout"] = (
        "2"  # its parts wait for each other, some for ones already gone
    )
    config.extra_configs["common.session.ttl"] = "5"  # a restart after a kill waits for the old session to lapse
    # else a segment too small for its own index has a coarse one over it, of Milvus' own, which finds less than all
    config.extra_configs["queryNode.segcore.interimIndex.enableIndex"] = "false"
    # else data that come at once are sealed in parts of 120 MB, each with an index of its own, to be merged and built
    # again later: four times as many clusters to train for 6 million vectors
    config.extra_configs["dataCoord.segment.sealProportion"] = "1.0"
    # else the last of those parts, smaller than half of a whole one, is merged into another minutes after their indexes
    # are built: that one is built again, and what is searched meanwhile is slow; only the crumbs of changes are merged
    config.extra_configs["dataCoord.segment.smallProportion"] = "0.05"
    # else a full part has more than 16 files, too many for Milvus, which writes it anew and builds its index again
    config.extra_configs["dataNode.segment.insertBufSize"] = str(64 << 20)
    config.resolve()
    binary = _unpacked()
    environment = os.environ | {
        "DEPLOY_MODE": "STANDALONE",
        "METRICS_PORT": str(ports["metrics_port"]),
        "MILVUS_RUN_DIR": str(home / "run"),
        "MILVUSCONF": str(home / "configs"),
        "ETCD_CONFIG_PATH": str(_etcd(home, ports)),
        "LD_LIBRARY_PATH": f"{binary.parent}:{os.environ.get('LD_LIBRARY_PATH', '')}",
    }
    return [str(binary), "run", "standalone"], environment, ports


def _etcd(home: Path, ports: dict[str, int]) -> Path:
    """Write the configuration of the etcd inside Milvus, which else takes 2379 and 2380: one server a machine."""
    client, peer = (f"http://127.0.0.1:{ports[p]}" for p in ("etcd_port", "peer_port"))
    settings = {
        "name": "default",
        "listen-client-urls": client,
        "advertise-client-urls": client,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": f"default={peer}",
    }
    path = home / "etcd.yaml"
    write_json(path, settings)  # JSON is YAML
    return path


def _unpacked() -> Path:
    """Unpack the server once for this user, whole or not at all, also when two ask at once."""
    import milvus

    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "click-road"
    folder = cache / f"milvus-{milvus.__version__}"
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=".milvus-", dir=cache))
        milvus._initialize_data_files(str(beside))
        try:
            beside.rename(folder)
        except OSError as error:  # another process was first
            if not folder.exists():
                raise UserError(f"the server could not be unpacked to {folder}: {error.strerror}") from error
    return folder / "bin" / "milvus"


def _free_ports(count: int) -> list[int]:
    """Choose ports that nobody listens on, from a random start so that two servers rarely meet."""
    found: list[int] = []
    held: list[Any] = []
    port = random.randrange(*_PORTS)
    while len(found) < count:
        port = port + 1 if port < _PORTS[1] else _PORTS[0]
        candidate = socket.socket()
        held.append(candidate)
        try:
            candidate.bind(("0.0.0.0", port))
        except OSError:
            continue
        found.append(port)
    for candidate in held:
        candidate.close()
    return found
