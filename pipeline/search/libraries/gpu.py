"""Whether this machine has a GPU and the packages that use it, and the sentence that says what is missing."""

from collections.abc import Iterable
from importlib import import_module
from importlib.util import find_spec

_INSTALL = "uv pip install --python .venv/bin/python"


def lacks(packages: Iterable[str], install: str, what: str) -> str | None:
    """Say which of `packages` is not installed and how to get it, or give None."""
    absent = [name for name in packages if find_spec(name) is None]
    if not absent:
        return None
    return f"{what} needs {' and '.join(absent)}, not installed here: run `{_INSTALL} {install}`."


def no_gpu(package: str, what: str) -> str | None:
    """Ask `package` (cupy or torch) for an NVIDIA GPU; give None where there is one."""
    try:
        module = import_module(package)
        count = module.cuda.device_count() if package == "torch" else module.cuda.runtime.getDeviceCount()
        reason = "none is found"
    except Exception as error:  # a driver that is absent or too old raises what it likes
        count, reason = 0, str(error).splitlines()[0][:120] if str(error) else type(error).__name__
    if count:
        return None
    return (
        f"{what} needs an NVIDIA GPU and its driver ({reason}): run it where `nvidia-smi` lists one, or choose FAISS."
    )
