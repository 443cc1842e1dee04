"""`serve export`: the model repository."""

from pipeline.cli.serve.group import IndexChoice, ModelChoice, serve_app
from pipeline.cli.shared.base import WORKSPACE, Answer, JsonOption, WaitOption, WorkspaceOption, finish, writing


@serve_app.command("export")
def export(
    model: ModelChoice = None,
    index: IndexChoice = None,
    workspace: WorkspaceOption = WORKSPACE,
    wait: WaitOption = False,
    json: JsonOption = False,
) -> None:
    """Write what answers as a Merlin Systems ensemble for Triton; features are prepared and put online first.

    Example: python -m pipeline serve export --model two_tower
    """

    def body() -> Answer:
        from pipeline.serving.ensemble.export import REPOSITORY, export_in_use

        with writing(workspace, "serve export", wait) as (opened, job):
            done = export_in_use(opened, model, index, job.progress("ensemble"))
            folder = opened.stage(done.name) / REPOSITORY
            chosen = {name: done.manifest["config"][name] for name in ("model", "index", "ranker")}
            job.result = {"repository": str(folder), "skipped": done.skipped, **chosen, **done.manifest["metrics"]}
            return job.result

    def show(answer: Answer) -> None:
        ranker = f"ranked by {answer['ranker']}" if answer["stages"] == 4 else "without a ranker: three stages"
        print(f"{answer['model']} through {answer['index']}, {ranker}")
        print(f"models {', '.join(answer['models'])}")
        print(f"model repository {answer['repository']}")

    finish(workspace, json, body, show)
