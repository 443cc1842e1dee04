"""The command line's options of a sweep, with a preset's in place of those that are not given."""

from typing import Any

from pipeline.bench import runs
from pipeline.bench.data.scenarios import ScenarioConfig
from pipeline.bench.run.grid import Grid, IndexGrid, read_grid
from pipeline.bench.run.plan import SweepConfig
from pipeline.bench.run.presets import PRESETS, Preset
from pipeline.core.checks import one_of
from pipeline.core.errors import UserError
from pipeline.search.embedded.server import server_name
from pipeline.store.workspace import Workspace


def sweep_config(
    scenario: ScenarioConfig,
    *,
    preset: str | None = None,
    indexes: list[str] | None = None,
    builds: list[str] | None = None,
    searches: list[str] | None = None,
    nq: str | None = None,
    concurrency: str | None = None,
    top_k: str | None = None,
    rates: str | None = None,
    client: str = "raw",
    seconds: float | None = None,
    repeats: int | None = None,
    server: str | None = None,
    skip_dominated: bool = False,
    build_limit: float | None = None,
    collection: str = "",
    dask: str = "",
) -> SweepConfig:
    """Make a sweep's config of what is given; raise UserError for what cannot be read."""
    chosen = PRESETS[one_of(preset, PRESETS, "preset")] if preset else None
    usual = SweepConfig()
    if chosen:
        usual = usual.replace(**{name: getattr(chosen, name) for name in ("nq", "concurrency", "seconds", "repeats")})
    given: dict[str, Any] = {
        "indexes": _grids(indexes, builds, searches, chosen),
        "nq": _numbers("nq", nq, int),
        "nq_fits": nq is None,
        "concurrency": _numbers("concurrency", concurrency, int),
        "top_k": _numbers("top-k", top_k, int),
        "rates": _numbers("rate", rates, float),
        "clients": ("raw",) if client == "raw" else ("raw", client),
        "seconds": seconds,
        "repeats": repeats,
        "server": server or server_name(),
        "build_limit": build_limit,
        "collection": collection,
        "dask": dask,
    }
    config = usual.replace(scenario=scenario, skip_dominated=skip_dominated)
    return config.replace(**{name: value for name, value in given.items() if value is not None})


def _grids(
    indexes: list[str] | None, builds: list[str] | None, searches: list[str] | None, preset: Preset | None
) -> tuple[Grid, ...]:
    """Read the grids that are given, else a preset's, else HNSW as it is."""
    if preset and not (indexes or builds or searches):
        return tuple(map(read_grid, preset.indexes))
    names = indexes or ["HNSW"]
    parts = []
    for option, values in (("--build", builds), ("--search", searches)):
        if values and len(values) != len(names):
            raise UserError(
                f"{option} is given {len(values)} times for {len(names)} --index: give it for each or none."
            )
        parts.append(values or [""] * len(names))
    return tuple(read_grid(IndexGrid(*grid)) for grid in zip(names, *parts, strict=True))


def _numbers(option: str, text: str | None, kind: type[int] | type[float]) -> tuple[Any, ...] | None:
    if text is None:
        return None
    try:
        return tuple(dict.fromkeys(kind(part.replace("_", "")) for part in text.split(",")))
    except ValueError:
        raise UserError(f"--{option} '{text}' is not numbers with commas between them, such as 1,1000.") from None


def resumed(workspace: Workspace, name: str) -> SweepConfig:
    """Read the config of a run, to go on with it."""
    config = runs.find_run(workspace, name).config
    if "goal" in config:
        raise UserError(f"Run '{name}' was made by `bench tune`: it goes on when the same `bench tune` is asked again.")
    return from_json(config)


def from_json(plain: dict[str, Any]) -> SweepConfig:
    """Make a config of what a run keeps of it; what one of an older version lacks has its default."""
    lists = {name: tuple(value) for name, value in plain.items() if isinstance(value, list)}
    grids = tuple(read_grid(IndexGrid(**grid)) for grid in plain["indexes"])
    return SweepConfig(**plain | lists | {"indexes": grids, "scenario": ScenarioConfig(**plain["scenario"])})
