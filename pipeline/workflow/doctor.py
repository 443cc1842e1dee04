"""What this machine has and lacks, each with the way out."""

import importlib.util
import platform
import shutil
import sys
from pathlib import Path
from typing import Any

import psutil

from pipeline.core.text import size
from pipeline.search.embedded.network import OPEN_PORTS, may_enter

_PACKAGES = ("nvtabular", "merlin.models", "tensorflow", "pymilvus", "milvus", "umap", "streamlit", "polars")
_MEMORY, _DISK = 4e9, 5e9


def checks(workspace: Path) -> list[dict[str, Any]]:
    """Check Python, platform, memory, disk, packages, network, browser and GPU."""
    missing = [p for p in _PACKAGES if not _installed(p)]
    memory = psutil.virtual_memory().available
    at = next(p for p in (workspace.absolute(), *workspace.absolute().parents) if p.exists())
    free = shutil.disk_usage(at).free
    browser = next((p for p in ("chromium", "chromium-browser", "google-chrome") if shutil.which(p)), None)
    machine = f"{platform.system()} {platform.machine()}"
    gpu = shutil.which("nvidia-smi") is not None
    without = f"without {', '.join(missing)}" if missing else "all"
    closed = may_enter()
    python = sys.version_info[:2] == (3, 11)
    return [
        _check("Python", python, platform.python_version(), "TensorFlow 2.12 needs 3.11: run `make setup`."),
        _check("platform", machine == "Linux x86_64", machine, "Milvus here needs Linux x86_64: set MILVUS_URI."),
        _check("packages", not missing, without, "Run `make setup`."),
        _check("memory", memory > _MEMORY, f"{size(memory)} available", "A run takes up to 4 GB: close something."),
        _check("disk", free > _DISK, f"{size(free)} free", "A workspace takes up to 5 GB: free some."),
        _check("network", closed, "Milvus gets one of its own" if closed else "shared", OPEN_PORTS),
        _check("browser", browser is not None, browser or "none", "Only tests need it: install the package chromium."),
        _check("GPU", gpu, "nvidia-smi" if gpu else "none", "Optional: everything here runs on the CPU."),
    ]


def _check(name: str, ok: bool, found: str, way_out: str) -> dict[str, Any]:
    return {"check": name, "ok": ok, "found": found, "way_out": "" if ok else way_out}


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package.split(".", maxsplit=1)[0]) is not None
