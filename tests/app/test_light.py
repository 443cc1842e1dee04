"""No module, no page and no command imports what is heavy before it needs it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.core.project import PROJECT

HEAVY = {
    "cudf", "cuml", "cuvs", "dask", "distributed", "faiss", "h5py", "keras", "merlin", "numba", "nvtabular", "optuna",
    "sklearn", "tensorflow", "torch", "umap",
}  # fmt: skip
COMMAND_LINE = {*HEAVY, "matplotlib", "plotly", "polars", "pymilvus", "scipy", "streamlit"}
# Classes of Merlin's and TensorFlow's, which only an export, Merlin's runtime and Triton's own processes import
IN_MERLIN = (
    *(
        f"pipeline.serving.operators.{name}"
        for name in ("encode", "feast", "filter", "pair", "passing", "query", "softmax")
    ),
    "pipeline.serving.ensemble.build",
    "pipeline.serving.ensemble.saved_models",
    "pipeline.serving.triton.backend.",
)
SCRIPTS = [*sorted((PROJECT / "pages").glob("*.py")), PROJECT / "app" / "main.py"]

# One module after another in a fresh process; a module is to blame for what it is the first to import.
IMPORT = """
import ast, importlib, json, sys
heavy, scripts, *modules = json.loads(sys.argv[1])
seen, blamed = set(), {}

def blame(name):
    found = {module.partition(".")[0] for module in sys.modules} & set(heavy)
    if found - seen:
        blamed[name] = sorted(found - seen)
    seen.update(found)

for module in modules:
    importlib.import_module(module)
    blame(module)
for script in scripts:  # all of it but its last statement, which draws the page
    tree = ast.parse(open(script).read())
    assert "main()" in ast.unparse(tree.body.pop()), script
    exec(compile(tree, script, "exec"), {"__name__": "page", "__file__": script})
    blame(script)
print(json.dumps(blamed))
"""


def _modules(room: str) -> list[str]:
    """Name all modules below a folder, but those that run when they are imported."""
    paths = (path.relative_to(PROJECT).with_suffix("") for path in sorted((PROJECT / room).rglob("*.py")))
    names = (".".join(path.parts).removesuffix(".__init__") for path in paths)
    return [name for name in names if name not in ("app.main", "pipeline.__main__") and not name.startswith(IN_MERLIN)]


def _blamed(modules: list[str], scripts: list[Path], heavy: set[str]) -> dict[str, list[str]]:
    """Import modules, then scripts, in a fresh process; give who is the first to import what of the heavy packages."""
    asked = json.dumps([sorted(heavy), [str(script) for script in scripts], *modules])
    ended = subprocess.run(
        [sys.executable, "-c", IMPORT, asked], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    blamed: dict[str, list[str]] = json.loads(ended.stdout.splitlines()[-1])
    return blamed


def test_no_module_of_the_app_and_no_page_imports_what_is_heavy() -> None:
    modules = _modules("app")
    assert len(modules) > 30
    assert len(SCRIPTS) > 7
    assert _blamed(modules, SCRIPTS, HEAVY) == {}


def test_no_module_of_the_pipeline_imports_what_is_heavy() -> None:
    modules = _modules("pipeline")
    assert len(modules) > 150
    assert _blamed(modules, [], {*HEAVY, "streamlit"}) == {}


def test_the_command_line_imports_no_more_than_it_needs_to_answer() -> None:
    assert _blamed(["pipeline.cli"], [], COMMAND_LINE) == {}


@pytest.mark.parametrize("heavy", ["h5py", "optuna"])
def test_who_imports_it_is_found(tmp_path: Path, heavy: str) -> None:
    script = tmp_path / "page.py"
    script.write_text(f"import json\nimport {heavy}\n\n\ndef main(): ...\n\n\nmain()\n")
    assert _blamed(["app.tray"], [script], HEAVY)[str(script)] == [heavy]
