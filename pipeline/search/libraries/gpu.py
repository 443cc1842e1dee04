"""Whether this machine has a GPU, and the sentence that says so."""

from importlib import import_module


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
