"""`recommend`: recommendations for every session of a log, as a file."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.shared.base import WORKSPACE, Answer, JsonOption, WaitOption, WorkspaceOption, app, finish, writing
from pipeline.cli.shared.options import BadRowsOption, ColumnsOption, TimeFormatOption
from pipeline.core.text import duration


@app.command()
def recommend(
    file: Annotated[
        str, typer.Option(help="A log of clicks, read as `ingest` reads it: CSV, TSV, Parquet, .gz, .zip.")
    ],
    out: Annotated[Path, typer.Option(help="The file to write: .parquet or .csv.")],
    k: Annotated[int, typer.Option(help="How many items to recommend to each session.")] = 10,
    rank: Annotated[bool, typer.Option("--rank", help="Have the trained ranker order what is retrieved.")] = False,
    exclude_seen: Annotated[bool, typer.Option("--exclude-seen", help="Leave out what the session clicked.")] = False,
    model: Annotated[str | None, typer.Option(help="The model that retrieves.")] = None,
    index: Annotated[
        str | None, typer.Option(help="An index as `index list` names it; by default the one in use.")
    ] = None,
    columns: ColumnsOption = None,
    bad_rows: BadRowsOption = None,
    time_format: TimeFormatOption = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    workspace: WorkspaceOption = WORKSPACE,
    wait: WaitOption = False,
    json: JsonOption = False,
) -> None:
    """Recommend items to every session of a log, as a file; a run that was cut off goes on.

    Example: python -m pipeline recommend --file sessions.csv --out recommendations.parquet
    """

    def body() -> Answer:
        from pipeline.clicks.source import ClickSource
        from pipeline.search.embedded.server import connect
        from pipeline.serving.many.plan import ManyConfig, find_plan
        from pipeline.serving.many.recommend import recommend_many

        source = ClickSource(file, columns, None, bad_rows or 0, time_format)
        with writing(workspace, "recommend", wait) as (opened, job):
            plan = find_plan(opened, ManyConfig(k, model, index, rank, exclude_seen))
            progress = job.progress("recommend", "ranked" if rank else "")
            with connect(opened, "recommend", progress, name=plan.index["server"]) as engine:
                job.result = recommend_many(source, out, plan, engine, progress, force)
            return job.result

    def show(answer: Answer) -> None:
        print(
            f"{answer['rows']:,} rows for {answer['answered']:,} of {answer['sessions']:,} sessions in {answer['file']}"
        )
        if answer["unknown"]:
            print(f"{answer['unknown']:,} sessions clicked no item that training has seen, and got none.")
        print(f"{duration(answer['seconds'])}, {answer['sessions_per_s']:,} sessions/s")

    finish(workspace, json, body, show)
