"""A disk of some megabytes, in memory, on which a script runs until it is full."""

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.core.project import PROJECT


def on_a_small_disk(folder: Path, size: str, script: str, *arguments: str) -> list[str]:
    """Run a Python script with that disk's folder and `arguments`, give its lines; skip where there is none."""
    folder.mkdir()
    if subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "none", folder], check=False).returncode:
        pytest.skip("this kernel gives no user a disk of their own")
    shell = 'mount -t tmpfs -o size="$0" none "$4" && exec "$@"'
    call = ["unshare", "-rm", "sh", "-c", shell, size, sys.executable, "-c", script, str(folder)]
    ended = subprocess.run([*call, *arguments], capture_output=True, text=True, timeout=200, check=False, cwd=PROJECT)
    assert "Traceback" not in ended.stderr, ended.stderr[-3000:]
    return ended.stdout.splitlines()
