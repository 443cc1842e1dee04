"""What a figure was measured on: hardware, and versions of all that takes part."""

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

_PACKAGES = ("pymilvus", "grpcio", "numpy")


def hardware() -> dict[str, Any]:
    """Give cpu, cores, memory_gb, platform and gpu (None where there is none) of this machine."""
    return {
        "cpu": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "platform": f"{platform.system()} {platform.machine()}",
        "gpu": _gpu(),
    }


def versions(milvus: str) -> dict[str, str]:
    """Give the versions of the server, Python and the client's packages."""
    return {"milvus": milvus, "python": platform.python_version()} | {name: version(name) for name in _PACKAGES}


def _processor() -> str:
    """Read what Linux calls the processor; platform.processor() is empty there."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _gpu() -> str | None:
    found = sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
    names = (line.partition(":")[2].strip() for path in found for line in path.read_text().splitlines()[:1])
    return ", ".join(names) or None
