"""The app's process imports nothing heavy, and the command line answers at once."""

import json
import subprocess
import sys

HEAVY = ("tensorflow", "merlin", "nvtabular", "umap", "numba", "keras", "dask", "faiss", "optuna", "distributed")
PRINT = "import json, sys; print(json.dumps(sorted({m.split('.')[0] for m in sys.modules})))"


def _modules(code: str) -> set[str]:
    ended = subprocess.run([sys.executable, "-c", f"{code}; {PRINT}"], capture_output=True, text=True, check=True)
    return set(json.loads(ended.stdout.splitlines()[-1]))


def test_the_app_imports_nothing_heavy() -> None:
    code = (
        "import importlib, pathlib, streamlit;"
        "from app import benchnews, benchviews, charts, judged, parts, report, routes, state, study, sweep, theme;"
        "from pipeline import evaluate, index, overview, recommend, train;"
        "from pipeline.vectors import library, milvus, server;"
        "from pipeline.bench import options, plan, presets, runs, sweep, tune"
    )
    assert not _modules(code) & set(HEAVY)


def test_the_command_line_imports_nothing_heavy() -> None:
    assert not _modules("import pipeline.cli") & {*HEAVY, "streamlit", "pymilvus", "plotly"}
