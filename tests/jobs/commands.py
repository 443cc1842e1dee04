"""Commands that are jobs, and what is waited for of one."""

import subprocess
import sys

from pipeline.jobs import job as jobs
from pipeline.store.workspace import Workspace

LONG = ["ingest", "--clicks", "synthetic:2000000"]  # some seconds of work
SHORT = ["ingest", "--clicks", "synthetic:300"]


def ended(job: jobs.Job) -> bool:
    return not job.alive


def begun(job: jobs.Job) -> bool:
    return job.state == "running" and bool(job.progress)


def run(workspace: Workspace, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipeline", *arguments, "--workspace", str(workspace.root), "--json"]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def put(workspace: Workspace) -> str:
    """Write the clicks; give their key."""
    assert run(workspace, *SHORT).returncode == 0
    manifest = workspace.manifest("clicks")
    assert manifest is not None
    return str(manifest["key"])
