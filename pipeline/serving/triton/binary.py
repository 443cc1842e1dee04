"""nvidia-pytriton's tritonserver on the CPU: its backends put together, its command and its environment."""

import importlib.util
import os
import shutil
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

from pipeline.core.errors import UserError
from pipeline.core.project import PROJECT

_HERE = Path(__file__).parent / "backend"
PORTS = ("http", "grpc", "metrics")


def package() -> Path:
    """Find nvidia-pytriton's files without importing it; raise UserError where it is not installed."""
    found = importlib.util.find_spec("pytriton")
    folder = Path(str(found.origin)).parent / "tritonserver" if found else Path()
    if not found or not (folder / "bin" / "tritonserver").exists():
        raise UserError("nvidia-pytriton, which carries tritonserver, is not installed: run `make setup`.")
    return folder


def put_together(home: Path) -> Path:
    """Make the folder of backends: Triton's Python backend with this Python's stub, and `tensorflow` in Python."""
    source, backends = package(), home / "backends"
    python, tensorflow = backends / "python", backends / "tensorflow"
    shutil.rmtree(backends, ignore_errors=True)
    for folder in (python, tensorflow):
        folder.mkdir(parents=True)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    stub = source / "python_backend_stubs" / version / "triton_python_backend_stub"
    for file in [source / "backends" / "python" / "libtriton_python.so", stub]:
        shutil.copy2(file, python / file.name)
    helpers = source / "backends" / "python" / "triton_python_backend_utils.py"
    (python / helpers.name).write_text(f"{(_HERE / 'keep_out.py').read_text()}\n{helpers.read_text()}")
    (python / "pipeline").symlink_to(PROJECT / "pipeline")  # the stub reads no PYTHONPATH, and looks for modules here
    shutil.copy2(_HERE / "tensorflow_model.py", tensorflow / "model.py")
    return backends


def command(repository: Path, backends: Path, ports: Mapping[str, int], host: str = "127.0.0.1") -> list[str]:
    """Give the command line: every port on `host`, models as they lie there, nothing loaded on request."""
    listening = [part for name in PORTS for part in (f"--{name}-address={host}", f"--{name}-port={ports[name]}")]
    return [
        str(package() / "bin" / "tritonserver"),
        f"--model-repository={repository}",
        f"--backend-directory={backends}",
        "--model-control-mode=none",
        "--exit-timeout-secs=10",
        *listening,
    ]


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """Give the server's environment: this Python's libraries before any other, and TensorFlow kept out."""
    libraries = [str(sysconfig.get_config_var("LIBDIR")), str(package().parent.parent / "nvidia_pytriton.libs")]
    return {
        **os.environ,
        "LD_LIBRARY_PATH": ":".join([*libraries, os.environ.get("LD_LIBRARY_PATH", "")]).strip(":"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}",
        "PYTHONWARNINGS": "ignore",
        **more,
    }
