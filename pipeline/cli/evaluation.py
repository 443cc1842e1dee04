"""`evaluate`: how well models foresee the next click, and by how much one is better than another."""

from dataclasses import asdict
from typing import Annotated

import typer

from pipeline.cli.base import WORKSPACE, Answer, JsonOption, WaitOption, WorkspaceOption, app, finish, table, writing

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
    workspace: WorkspaceOption = WORKSPACE,
    json: JsonOption = False,
    wait: WaitOption = False,
) -> None:
    """Rank the next click of each revealed test session, and compare the models.

    Example: python -m pipeline evaluate --against vsknn --json
    """

    def body() -> Answer:
        from pipeline.compare import best_baseline, differences
        from pipeline.errors import UserError
        from pipeline.evaluate import EvaluateConfig, current, evaluations, intervals
        from pipeline.evaluate import evaluate as stage

        config = EvaluateConfig(exclude_seen)
        with writing(workspace, "evaluate", wait) as (opened, job):
            names = list(dict.fromkeys(filter(None, (model, against)))) if model else current(opened)
            if not names:
                raise UserError("No model is trained yet, or none on these sessions: run `train` first.")
            job.steps = len(names)
            for name in names:
                stage(opened, name, job.progress(f"evaluate {name}"), config)
            figures, bounds = evaluations(opened, config), intervals(opened, config)
            other = against or best_baseline(figures)
            compared = differences(opened, other, config) if other else {}
            job.result = {
                "models": {name: figures[name] for name in names},
                "intervals": {name: bounds[name] for name in names},
                "against": other,
                "differences": {
                    name: {measure: asdict(value) for measure, value in measures.items()}
                    for name, measures in compared.items()
                    if name in names
                },
            }
            return job.result

    finish(workspace, json, body, _show)


def show_figures(answer: Answer) -> None:
    """Print each model's figures as a line."""
    rows = [{"model": name, **figures} for name, figures in answer["models"].items()]
    table(rows, list(rows[0]) if rows else [], "Nothing is evaluated yet: run `evaluate`.")


def _show(answer: Answer) -> None:
    show_figures(answer)
    if not answer["differences"]:
        return
    print(f"\nAgainst {answer['against']}, with the 95 % interval over the same resamples of the sessions:")
    rows = [
        {"model": name} | {measure: _signed(**measures[measure]) for measure in SHOWN}
        for name, measures in answer["differences"].items()
    ]
    table(rows, list(rows[0]), "")


def _signed(difference: float, low: float, high: float) -> str:
    return f"{difference:+.3f} ({low:+.3f} to {high:+.3f})"
