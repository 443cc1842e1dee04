"""The group that the commands of serving stand in."""

from typing import Annotated

import typer

from pipeline.cli.shared.base import app

serve_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Four stages as one ensemble, on Triton.")
app.add_typer(serve_app, name="serve")
ModelChoice = Annotated[
    str | None, typer.Option("--model", help="The model that retrieves; by default one that a trained ranker orders.")
]
IndexChoice = Annotated[str | None, typer.Option("--index", help="An index of items; by default the one in use.")]
