"""Sweeps through the command line."""

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from pipeline.cli import app

VECTORS = ("--model", "synthetic:3000,400,16", "--scenario", "user-item")


def bench(root: Path, *arguments: str, code: int = 0) -> dict[str, Any]:
    ended = CliRunner().invoke(app, ["bench", *arguments, "--workspace", str(root), "--json"])
    assert ended.exit_code == code, ended.output
    answer: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return answer
