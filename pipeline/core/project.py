"""Where the project's own files lie: shipped assets, and what processes of its own are started in."""

from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
ASSETS = PROJECT / "assets"
