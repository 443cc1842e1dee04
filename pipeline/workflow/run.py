"""The whole pipeline, stage by stage; what is unchanged is skipped."""

from dataclasses import dataclass, field
from typing import Any

from pipeline.clicks import ClickSource
from pipeline.clicks.ingest import ingest
from pipeline.core.columns import DEFAULT_MODEL
from pipeline.core.errors import UserError
from pipeline.core.progress import part
from pipeline.evaluation.evaluate import evaluate, evaluations, longest_sessions, sampled
from pipeline.indexes.build import IndexConfig, build_index
from pipeline.indexes.registry import index_in_use, use_index
from pipeline.jobs.process import Running
from pipeline.maps.projection import MapConfig, project
from pipeline.models.options import training_config
from pipeline.models.registry import encoder_kind
from pipeline.search.catalogue import index_type
from pipeline.search.embedded.server import connect, server_facts, server_name
from pipeline.search.params import check_build, parse_params
from pipeline.sessions.config import PreprocessConfig
from pipeline.sessions.preprocess import preprocess
from pipeline.store.stage import Done, is_stale
from pipeline.store.workspace import Workspace
from pipeline.training.train import stage_name, train
from pipeline.vectors.embed import ENTITIES, embed

STEPS = 10
BASELINE = "popularity"


@dataclass(frozen=True)
class RunConfig:
    """Everything that can be chosen of a run."""

    source: ClickSource
    data: PreprocessConfig = field(default_factory=PreprocessConfig)
    model: str = DEFAULT_MODEL
    training: dict[str, Any] = field(default_factory=dict)
    index: str = "HNSW"
    params: str = ""

    def check(self) -> None:
        """Refuse at once what would fail only after minutes."""
        encoder_kind(self.model)
        training_config(self.model, self.training)
        check_build(index_type(self.index), parse_params(self.params))


def run_pipeline(workspace: Workspace, config: RunConfig, job: Running) -> dict[str, Any]:
    """Run every stage and give clicks, sessions, items, stages, models and collections."""
    config.check()
    done = [
        ingest(workspace, config.source, job.progress("ingest")),
        preprocess(workspace, config.data, job.progress("preprocess")),
        train(workspace, BASELINE, {}, job.progress("train", BASELINE)),
        train(workspace, config.model, _training(workspace, config), job.progress("train", config.model)),
        embed(workspace, config.model, job.progress("embed", config.model)),
    ]
    done += _indexes(workspace, config, job)
    report = job.progress("evaluate", config.model)
    done += [evaluate(workspace, model, part(report, n, 2)) for n, model in enumerate((BASELINE, config.model))]
    stages = [_entry(d) for d in done]
    try:
        stages.append(_entry(project(workspace, config.model, MapConfig(), job.progress("map", config.model))))
    except UserError as error:  # too few items for a map are enough for everything else
        stages.append({"name": f"maps/{config.model}", "seconds": 0.0, "skipped": True, "note": str(error)})
    found, longest = done[0].manifest["metrics"], longest_sessions(workspace)
    return {
        "clicks": found["clicks"],
        "sessions": found["sessions"],
        "items": found["items"],
        "notes": [*found["notes"], *filter(None, [longest.note if longest else "", sampled(workspace)])],
        "stages": stages,
        "models": evaluations(workspace),
        "collections": [d.manifest["metrics"]["collection"] for d in done if d.name.startswith("indexes/")],
    }


def _training(workspace: Workspace, config: RunConfig) -> dict[str, Any]:
    """Take the options that are given; without any, a model that learned from these sessions stays as it was chosen."""
    stage = stage_name(config.model)
    manifest = workspace.manifest(stage)
    if any(value is not None for value in config.training.values()) or manifest is None or is_stale(workspace, stage):
        return config.training
    return dict(manifest["config"])


def _indexes(workspace: Workspace, config: RunConfig, job: Running) -> list[Done]:
    with connect(workspace, f"job {job.job.id}", job.progress("milvus")) as engine:
        chosen = IndexConfig(model=config.model, index=config.index, params=config.params, server=server_name())
        configs = [chosen.replace(vectors=entity) for entity in ENTITIES]
        can = server_facts(workspace, server_name(), engine)
        done = [build_index(workspace, c, engine, job.progress("index", learns=False), can) for c in configs]
    if index_in_use(workspace, config.model)["stale"]:  # what was chosen before answers with the clicks before
        use_index(workspace, done[0].name.split("/")[-1])
    return done


def _entry(done: Done) -> dict[str, Any]:
    return {"name": done.name, "seconds": done.seconds, "skipped": done.skipped}
