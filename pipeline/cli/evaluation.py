"""`evaluate`: how well models foresee the next click, and by how much one is better than another."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.shared.base import (
    WORKSPACE,
    Answer,
    JsonOption,
    WaitOption,
    WorkspaceOption,
    app,
    finish,
    table,
    writing,
)
from pipeline.jobs.process import Running
from pipeline.store.workspace import Workspace

if TYPE_CHECKING:
    from pipeline.evaluation.through_index import ThroughIndexConfig

_BOUND = "Bound each session's with --max-clicks, such as --max-clicks 50."
SHOWN = ("recall@10", "recall@20", "mrr@20", "ndcg@20")


@app.command()
def evaluate(
    model: Annotated[str | None, typer.Option(help="One model; without it, every trained one.")] = None,
    against: Annotated[
        str | None, typer.Option(help="The model to compare the others with; without it, the best baseline.")
    ] = None,
    exclude_seen: Annotated[
        bool, typer.Option("--exclude-seen", help="Recommend nothing that the session has clicked.")
    ] = False,
    max_clicks: Annotated[
        int, typer.Option(help="Rank at most this many next clicks per session, from the first; 0 for all.")
    ] = 0,
    baselines: Annotated[
        bool,
        typer.Option("--baselines", help="Train the baselines first, where they are not on these sessions."),
    ] = False,
    index: Annotated[
        str | None, typer.Option(help="Also search this index of a model's items, and report what is lost by it.")
    ] = None,
    search: Annotated[str, typer.Option(help="Search parameters of the index, e.g. 'ef=120'.")] = "",
    workspace: WorkspaceOption = WORKSPACE,
    json: JsonOption = False,
    wait: WaitOption = False,
) -> None:
    """Rank the next click of each revealed test session, and compare the models.

    Example: python -m pipeline evaluate --against vsknn

    Example: python -m pipeline evaluate --index items-session-hnsw --search ef=64
    """

    def body() -> Answer:
        from pipeline.core.errors import UserError
        from pipeline.evaluation.differences import best_baseline, differences
        from pipeline.evaluation.evaluate import (
            EvaluateConfig,
            current,
            evaluations,
            intervals,
            longest_sessions,
            sampled,
        )
        from pipeline.evaluation.evaluate import evaluate as stage
        from pipeline.evaluation.through_index import ThroughIndexConfig, check

        config = EvaluateConfig(exclude_seen=exclude_seen, max_clicks=max_clicks)
        if index and exclude_seen:
            raise UserError("An index is searched for what the session has clicked, too: leave --exclude-seen out.")
        with writing(workspace, "evaluate", wait) as (opened, job):
            if baselines:
                _train_baselines(opened, job)
            of_index = check(opened, index)["model"] if index else None
            named = list(dict.fromkeys(filter(None, (model, of_index))))
            names = list(dict.fromkeys([*named, *([against] if against else [])])) if named else current(opened)
            if not names:
                raise UserError("No model is trained yet, or none on these sessions: run `train` first.")
            job.steps = job.step + len(names) + (2 if index else 0)
            for name in names:
                stage(opened, name, job.progress(f"evaluate {name}"), config)
            figures, bounds = evaluations(opened, config), intervals(opened, config)
            other = against or best_baseline(figures)
            compared = differences(opened, other, config) if other else {}
            longest = longest_sessions(opened, config)
            job.result = {
                "models": {name: figures[name] for name in names},
                "intervals": {name: bounds[name] for name in names},
                "against": other,
                "differences": {
                    name: {measure: asdict(value) for measure, value in measures.items()}
                    for name, measures in compared.items()
                    if name in names
                },
                "longest_sessions": asdict(longest) | {"share": round(longest.share, 6)} if longest else None,
                "note": " ".join(
                    filter(
                        None,
                        [
                            sampled(opened, config),
                            f"{longest.note} {_BOUND}" if longest and longest.note else "",
                        ],
                    )
                ),
            }
            if index:
                job.result["index"] = _through(
                    opened, index, ThroughIndexConfig(search=search, max_clicks=max_clicks), job
                )
            return job.result

    finish(workspace, json, body, _show)


def _train_baselines(workspace: Workspace, job: Running) -> None:
    from pipeline.models.registry import baselines
    from pipeline.training.train import train

    names = baselines()
    job.steps = 2 * len(names)
    for name in names:
        train(workspace, name, {}, job.progress(f"train {name}"))


def _through(workspace: Workspace, index: str, config: "ThroughIndexConfig", job: Running) -> Answer:
    from pipeline.evaluation.through_index import approximate
    from pipeline.indexes.registry import find_index
    from pipeline.search.embedded.server import connect

    where = find_index(workspace, index)["server"]
    with connect(workspace, f"job {job.job.id}", job.progress("milvus"), where) as engine:
        done = approximate(workspace, index, config, engine, job.progress(f"search {index}"))
    return {"name": index, **done.manifest["metrics"]}


def show_figures(answer: Answer) -> None:
    """Print each model's figures as a line."""
    rows = [{"model": name, **figures} for name, figures in answer["models"].items()]
    table(rows, list(rows[0]) if rows else [], "Nothing is evaluated yet: run `evaluate`.")


def _show(answer: Answer) -> None:
    show_figures(answer)
    if answer["note"]:
        print(f"\n{answer['note']}")
    _show_index(answer.get("index"))
    if not answer["differences"]:
        return
    print(f"\nAgainst {answer['against']}, with the 95 % interval over the same resamples of the sessions:")
    rows = [
        {"model": name} | {measure: _signed(**measures[measure]) for measure in SHOWN}
        for name, measures in answer["differences"].items()
    ]
    table(rows, list(rows[0]), "")


def _show_index(found: Answer | None) -> None:
    if found is None:
        return
    print(f"\n{found['name']}: of the 20 nearest it finds {found['index_recall@20']:.3f}")
    for name, lost in found["lost"].items():
        print(
            f"{name} exact {found['exact'][name]:.3f}, through it {found['through'][name]:.3f}, lost {_signed(**lost)}"
        )


def _signed(difference: float, low: float, high: float) -> str:
    return f"{difference:+.3f} ({low:+.3f} to {high:+.3f})"
