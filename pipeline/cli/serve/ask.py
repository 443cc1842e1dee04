"""`serve ask`: one request, answered in one of three ways."""

from typing import Annotated

import typer

from pipeline.cli.serve.group import IndexChoice, ModelChoice, serve_app
from pipeline.cli.shared.base import WORKSPACE, Answer, JsonOption, WorkspaceOption, finish, table
from pipeline.store.workspace import Workspace


@serve_app.command("ask")
def ask(
    session: Annotated[str | None, typer.Option(help="A session's id, as in the clicks.")] = None,
    items: Annotated[
        list[str] | None, typer.Option(help="Item ids, oldest first, separated by commas; may be given again.")
    ] = None,
    k: Annotated[int, typer.Option(help="How many items to recommend.")] = 10,
    temperature: Annotated[float, typer.Option(help="Of the softmax sampling; 0 sorts by score alone.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Of the sampling.")] = 0,
    via: Annotated[str, typer.Option(help="fast (this process), local (Merlin's runtime) or triton.")] = "fast",
    model: ModelChoice = None,
    index: IndexChoice = None,
    workspace: WorkspaceOption = WORKSPACE,
    json: JsonOption = False,
) -> None:
    """Recommend in stages: retrieve 100, drop what was seen, score, order.

    Example: python -m pipeline serve ask --items A13,B4 --via triton
    """

    def body() -> Answer:
        from pipeline.serving.ask import Question
        from pipeline.serving.ask import ask as answer

        question = Question(session, tuple(items or ()), k, temperature, seed, via, model, index)
        return answer(Workspace.open(workspace), question)

    finish(workspace, json, body, _show)


def _show(answer: Answer) -> None:
    print("after " + " ▸ ".join(str(item.get("name") or item["item_id"]) for item in answer["history"]))
    rows = [
        item | {"retrieved": item["stages"]["retrieved"]["rank"], "scored": item["stages"]["scored"]["rank"]}
        for item in answer["items"]
    ]
    table(rows, ["rank", "item_id", "category", "score", "retrieved", "scored"], "There is nothing left to recommend.")
    took = ", ".join(f"{stage} {ms:.1f}" for stage, ms in answer["latency_ms"].items())
    print(f"{answer['stages']} stages via {answer['via']}, ms: {took}")
