"""What all commands share: the options, the last line of JSON, and how errors end."""

import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from pipeline.core.errors import Cancelled, UserError
from pipeline.jobs.job import CANCELLED
from pipeline.jobs.process import CODES, Running, end_job, running
from pipeline.store import strict_json
from pipeline.store.workspace import DEFAULT_ROOT, WORKSPACE_VARIABLE, Workspace, disk_refusal

Answer = dict[str, Any]

_FIRST = ("run", "ingest", "preprocess", "train", "embed", "index", "evaluate", "map", "query", "bench")


class InOrder(TyperGroup):
    """List the pipeline's commands in its order, and what looks after it behind them."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Give the names of the commands as help lists them."""
        names = super().list_commands(ctx)
        return [*(n for n in _FIRST if n in names), *(n for n in names if n not in _FIRST)]


app = typer.Typer(
    cls=InOrder,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="From click logs to recommendations served by Milvus.\n\nExample: python -m pipeline run --clicks shop",
)

WorkspaceOption = Annotated[
    Path,
    typer.Option("--workspace", envvar=WORKSPACE_VARIABLE, help="The workspace folder, which holds everything."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on the last line of stdout.")]
WaitOption = Annotated[bool, typer.Option("--wait", help="Queue behind a job that is running.")]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace what is there.")]
WORKSPACE = Path(DEFAULT_ROOT)


def finish(workspace: Path, as_json: bool, body: Callable[[], Answer], show: Callable[[Answer], None]) -> None:
    """Run a command's body; print its answer; end with 0, 2 for what the user can mend, 1 for a defect."""
    try:
        answer = body()
    except UserError as error:
        _end(str(error), as_json, 2)
    except (Cancelled, KeyboardInterrupt):
        _end(CANCELLED, as_json, CODES["cancelled"])
    except Exception as error:
        if refusal := disk_refusal(error):
            _end(refusal, as_json, 2)
        log = workspace / "defect.log"
        try:
            log.write_text(traceback.format_exc())
        except OSError:
            traceback.print_exc()
        _end(f"A defect of the program ({type(error).__name__}: {error}); {log} has the details.", as_json, 1)
    else:
        end_job(0, None, answer)
        if as_json:
            print(strict_json.dumps(answer), flush=True)
        else:
            show(answer)


def _end(sentence: str, as_json: bool, code: int) -> None:
    end_job(code, sentence)
    print(f"Error: {sentence}", file=sys.stderr)
    if as_json:
        print(strict_json.dumps({"error": sentence}), flush=True)
    raise typer.Exit(code)


@contextmanager
def writing(root: Path, title: str, wait: bool, steps: int = 1) -> Iterator[tuple[Workspace, Running]]:
    """Open the workspace as its one writer."""
    workspace = Workspace.open(root)
    with running(workspace, title, steps=steps, wait=wait) as job:
        yield workspace, job


def table(rows: list[Answer], columns: list[str], empty: str) -> None:
    """Print rows as aligned columns, numbers to the right; `empty` where there are none."""
    if not rows:
        print(empty)
        return
    cells = [[_cell(row.get(c)) for c in columns] for row in rows]
    widths = [max(len(c), *(len(r[i]) for r in cells)) for i, c in enumerate(columns)]
    numeric = [all(isinstance(r.get(c), int | float | None) for r in rows) for c in columns]
    print("  ".join(c.ljust(w) for c, w in zip(columns, widths, strict=True)).rstrip())
    for row in cells:
        aligned = (v.rjust(w) if n else v.ljust(w) for v, w, n in zip(row, widths, numeric, strict=True))
        print("  ".join(aligned).rstrip())


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
