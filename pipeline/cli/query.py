"""`query`: recommendations for a session or for a list of items."""

from typing import Annotated

import typer

from pipeline.cli.shared.base import WORKSPACE, Answer, JsonOption, WorkspaceOption, app, finish, table
from pipeline.cli.shared.options import ModelOption
from pipeline.core.columns import DEFAULT_MODEL
from pipeline.store.workspace import Workspace


@app.command()
def query(
    session: Annotated[str | None, typer.Option(help="A session's id, as in the clicks.")] = None,
    items: Annotated[
        list[str] | None, typer.Option(help="Item ids, oldest first, separated by commas; may be given again.")
    ] = None,
    k: Annotated[int, typer.Option(help="How many items to recommend.")] = 10,
    index: Annotated[
        str | None, typer.Option(help="An index as `index list` names it; by default the one in use.")
    ] = None,
    search: Annotated[str, typer.Option(help="Search parameters, e.g. 'ef=120'.")] = "",
    filter: Annotated[
        str, typer.Option(help="Only items that this lets through, e.g. \"price < 40 and category == 'skirts'\".")
    ] = "",
    exclude_seen: Annotated[bool, typer.Option("--exclude-seen", help="Leave out what the session clicked.")] = False,
    model: ModelOption = DEFAULT_MODEL,
    workspace: WorkspaceOption = WORKSPACE,
    json: JsonOption = False,
) -> None:
    """Recommend items after a session's clicks.

    A value that is an item's id as it stands, with its commas, is that item: give --items once for each such id.

    Example: python -m pipeline query --items A13,B4,A2 --k 10 --exclude-seen
    """

    def body() -> Answer:
        from dataclasses import replace

        from pipeline.core.errors import UserError
        from pipeline.search.embedded.server import connect
        from pipeline.serving.recommender import Recommender
        from pipeline.serving.request import Query

        if (session is None) == (not items):
            raise UserError("A query needs either --session ID or --items A,B,C: give one of the two.")
        opened = Workspace.open(workspace)
        recommender = Recommender(opened, model)
        asked = Query(k, index, search, exclude_seen, filter)
        if items:
            request = recommender.check_items(items, asked)
        else:
            request = recommender.check(recommender.session(session), asked)
        with connect(opened, "query", name=request.index["server"]) as engine:
            recommender.recommend(request, engine)  # the first one looks the collection up, or loads it
            return recommender.recommend(replace(request), engine)  # a copy, which is encoded anew: its time is told

    def show(answer: Answer) -> None:
        print("after " + " ▸ ".join(str(i.get("name") or i["item_id"]) for i in answer["history"]))
        table(
            answer["items"],
            ["rank", "item_id", "category", "score", "name"],
            answer["note"] if answer.get("filter") else "There is nothing left to recommend.",
        )
        if answer["items"] and (filtered := answer.get("filter")):
            print("{matching:,} of {rows:,} rows let through, recall under the filter {recall}".format(**filtered))
        took = answer["latency_ms"]
        print(f"encode {took['encode']:.2f} ms, search {took['search']:.2f} ms, in all {took['total']:.2f} ms")

    finish(workspace, json, body, show)
