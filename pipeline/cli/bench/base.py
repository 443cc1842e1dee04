"""What the commands of `bench` share: options of vectors and server, and how a run is shown."""

import json as json_
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.shared.base import Answer, app, table
from pipeline.store.workspace import Workspace

if TYPE_CHECKING:
    from pipeline.bench.data.scenarios import ScenarioConfig

bench_app = typer.Typer(rich_markup_mode=None)
app.add_typer(bench_app, name="bench")
ScenarioOption = Annotated[str, typer.Option(help="item-item, user-user, user-item, or own with --file.")]
VectorsOption = Annotated[
    str, typer.Option("--model", help="A model, imported vectors, or 'synthetic:ITEMS,SESSIONS,DIM'.")
]
FileOption = Annotated[str, typer.Option(help="For own: .npy, .npz, Parquet, CSV, or ann-benchmarks' HDF5.")]
QueryFileOption = Annotated[str, typer.Option(help="For own: the queries; without it, the file's, or a tenth.")]
MetricOption = Annotated[str, typer.Option(help="IP, L2 or COSINE; without it, as the vectors were imported, or IP.")]
RowsOption = Annotated[int, typer.Option(help="Index at most this many vectors; 0 for all.")]
QueriesOption = Annotated[int, typer.Option(help="Ask at most this many queries; recall then has an interval.")]
DrawSeedOption = Annotated[int, typer.Option(help="Random seed.")]
ServerOption = Annotated[str | None, typer.Option(help="A server as `server list` names it.")]
COLUMNS = [
    "index", "build", "search", "nq", "concurrency", "client", "recall", "qps", "p50_ms", "p95_ms", "p99_ms",
    "client_cpu", "server_cpu", "client_bound", "build_s", "memory_mb",
    "server_memory_mb", "server_growth_mb", "error",
]  # fmt: skip


def scenario_config(*values: Any) -> "ScenarioConfig":
    """Make what is asked of which vectors, of the options in the order above."""
    from pipeline.bench.data.scenarios import ScenarioConfig

    given = dict(zip(ScenarioConfig.model_fields, values, strict=False))
    given |= {name: str(Path(given[name]).absolute()) if given[name] else "" for name in ("file", "query_file")}
    return ScenarioConfig(**given | {"metric": given["metric"].upper()})


def shown(workspace: Workspace, name: str) -> Answer:
    """Give a run with its points, parameters as objects."""
    from pipeline.bench import runs

    rows = runs.load_points(workspace, name).to_dicts()
    objects = [row | {k: json_.loads(row[k]) for k in ("build", "search")} for row in rows]
    found = runs.find_run(workspace, name)
    about = asdict(found) | {"stale": runs.is_run_stale(workspace, found)}
    return {"run": about.pop("name")} | about | {"rows": objects}


def show_run(answer: Answer) -> None:
    """Print a run as `shown` gives it."""
    rows = [row | {k: _text(row[k]) for k in ("build", "search")} for row in answer["rows"]]
    table(rows, [c for c in COLUMNS if any(row[c] is not None for row in rows)], "There are no points yet.")
    if any(row["server_growth_mb"] is not None for row in rows):
        print(
            "memory_mb is estimated; server_memory_mb is what the server's processes hold, grown by server_growth_mb."
        )
    if bound := sum(bool(row["client_bound"]) for row in rows):
        print(f"At {bound} of {len(rows)} points the client was the limit: the server can do more there.")
    if answer["stale"]:
        print("It is out of date: the vectors that it measured have been replaced since.")
    print(f"{answer['run']}: {answer['status']}, {answer['points']} of {answer['planned']} points")


def _text(values: Answer) -> str:
    return ",".join(f"{name}={value}" for name, value in values.items())
