"""`bench advise`, `front`, `compare`, `quality`, `published` and `report`: what benchmark runs answer."""

from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.bench.base import bench_app
from pipeline.cli.shared.base import (
    WORKSPACE,
    Answer,
    ForceOption,
    JsonOption,
    WaitOption,
    WorkspaceOption,
    finish,
    table,
    writing,
)
from pipeline.cli.shared.options import ModelOption
from pipeline.core.columns import DEFAULT_MODEL
from pipeline.core.errors import UserError
from pipeline.store.workspace import Workspace

RunOption = Annotated[
    list[str] | None, typer.Option("--run", help="A run, 'published' too; several may be given. Default: the newest.")
]
MeasuredScenarioOption = Annotated[
    str | None, typer.Option(help="One of the run's; default: the one of most settings.")
]
NqOption = Annotated[int | None, typer.Option(help="Queries a request; default: the fewest that were measured.")]
TopKOption = Annotated[int | None, typer.Option(help="Neighbours asked for; default: as most settings.")]
ConcurrencyOption = Annotated[int | None, typer.Option(help="Client processes; default: all that were measured.")]
ClientOption = Annotated[str | None, typer.Option(help="raw, pymilvus or both; default: raw where it was measured.")]
PricesOption = Annotated[str | None, typer.Option(help="Prices as `prices list` names them; default: the first.")]
CoresOption = Annotated[float | None, typer.Option(help="Cores of an instance; default: those of the run's machine.")]
_COLUMNS = ["setting", "nq", "concurrency", "recall", "qps", "p50_ms", "p99_ms", "build_s", "memory_mb", "next_recall"]


def _given(
    scenario: str | None, nq: int | None, top_k: int | None, concurrency: int | None, client: str | None
) -> Answer:
    return {"scenario": scenario, "nq": nq, "top_k": top_k, "concurrency": concurrency, "client": client}


@bench_app.command("advise")
def advise(
    recall: Annotated[float | None, typer.Option(help="At least, 0 to 1.")] = None,
    p99: Annotated[float | None, typer.Option(help="Of a request, at most, in ms.")] = None,
    qps: Annotated[float | None, typer.Option(help="Queries a second that all instances answer together.")] = None,
    memory_mb: Annotated[float | None, typer.Option(help="Of an instance, at most.")] = None,
    usd_month: Annotated[float | None, typer.Option(help="Of all instances, at most.")] = None,
    run: RunOption = None,
    scenario: MeasuredScenarioOption = None,
    nq: NqOption = None,
    top_k: TopKOption = None,
    concurrency: ConcurrencyOption = None,
    client: ClientOption = None,
    prices: PricesOption = None,
    cores: CoresOption = None,
    workspace: WorkspaceOption = WORKSPACE,
    json: JsonOption = False,
) -> None:
    """Name the cheapest measured setting that has what is wanted, its alternatives, and why.

    Example: python -m pipeline bench advise --recall .95 --p99 10 --qps 1000
    """

    def body() -> Answer:
        from pipeline.bench.analysis.advise import Wish
        from pipeline.bench.analysis.answers import advice, settings_of
        from pipeline.bench.analysis.prices import find_prices

        wish = Wish(recall, p99, memory_mb, usd_month, qps)
        opened = Workspace.open(workspace)
        price = find_prices(opened, prices)
        return advice(
            settings_of(opened, run or [], _given(scenario, nq, top_k, concurrency, client)), wish, price, cores
        )

    def show(answer: Answer) -> None:
        for sentence in answer["why"]:
            print(sentence)
        for other in answer["alternatives"]:
            print(f"- {other['setting']}: {other['why']}")

    finish(workspace, json, body, show)


@bench_app.command("front")
def front(
    objective: Annotated[str, typer.Option(help="qps, p99_ms or memory_mb, beside recall.")] = "qps",
    run: RunOption = None,
    scenario: MeasuredScenarioOption = None,
    nq: NqOption = None,
    top_k: TopKOption = None,
    concurrency: ConcurrencyOption = None,
    client: ClientOption = None,
    workspace: WorkspaceOption = WORKSPACE,
    json: JsonOption = False,
) -> None:
    """List the settings that no other beats in recall and in a second figure.

    Example: python -m pipeline bench front --objective p99_ms --run published --scenario user-user
    """

    def body() -> Answer:
        from pipeline.bench.analysis.answers import fronts, settings_of

        opened = Workspace.open(workspace)
        return fronts(settings_of(opened, run or [], _given(scenario, nq, top_k, concurrency, client)), objective)

    finish(workspace, json, body, lambda answer: table(answer["rows"], _COLUMNS, "Nothing is measured yet."))


@bench_app.command("compare")
def compare(
    a: Annotated[str, typer.Option("--a", help="Whose QPS, e.g. 'device=gpu' or 'index=HNSW,M=16'.")],
    b: Annotated[str, typer.Option("--b", help="Over whose, e.g. 'device=cpu' or 'run=NAME'.")],
    run: RunOption = None,
    scenario: MeasuredScenarioOption = None,
    nq: NqOption = None,
    top_k: TopKOption = None,
    concurrency: ConcurrencyOption = None,
    client: ClientOption = None,
    workspace: WorkspaceOption = WORKSPACE,
    json: JsonOption = False,
) -> None:
    """Say how many times B's queries per second A answers at equal recall, and where that is defined.

    Example: python -m pipeline bench compare --run published --scenario user-user --a device=gpu --b device=cpu
    """

    def body() -> Answer:
        from pipeline.bench.analysis.answers import comparison, settings_of

        opened = Workspace.open(workspace)
        return comparison(settings_of(opened, run or [], _given(scenario, nq, top_k, concurrency, client)), a, b)

    finish(workspace, json, body, lambda answer: print(answer["sentence"]))


@bench_app.command("quality")
def quality(
    run: Annotated[str | None, typer.Option(help="A run; default: the newest.")] = None,
    model: ModelOption = DEFAULT_MODEL,
    server: Annotated[str | None, typer.Option(help="A server as `server list` names it.")] = None,
    workspace: WorkspaceOption = WORKSPACE,
    json: JsonOption = False,
    wait: WaitOption = False,
) -> None:
    """Recommend through each setting of a run's fronts: recall@20 and MRR@20 of the next click, beside exact search.

    Example: python -m pipeline bench quality --run NAME --model session
    """

    def body() -> Answer:
        from pipeline.bench import quality as measured
        from pipeline.bench.analysis.front import front as best
        from pipeline.bench.analysis.settings import gather, newest, summarise
        from pipeline.bench.runs import find_run, is_run_stale
        from pipeline.search.compatibility import supported_names
        from pipeline.search.embedded.server import connect, server_facts, server_name

        opened = Workspace.open(workspace)
        found = find_run(opened, run or newest(opened))
        name = found.name
        if is_run_stale(opened, found):
            raise UserError(f"Run {name} is out of date: its vectors have been replaced since, so measure them again.")
        settings = best(summarise(gather(opened, [name])))
        asked = measured.asked_of(opened, model)
        with writing(workspace, f"quality of {name}", wait) as (opened, job):
            with connect(opened, f"job {job.job.id}", job.progress("milvus"), server) as engine:
                can = supported_names(server_facts(opened, server or server_name(), engine))
                able = settings.filter(settings["index"].is_in(can))
                rows = measured.measure_quality(engine, opened.prefix, asked, able, job.progress("quality"))
            measured.write_quality(opened, name, rows)
            job.result = {"run": name, "model": model, "rows": rows}
            return job.result

    columns = ["index", "build", "search", "next_recall", "exact_recall", "next_mrr", "exact_mrr"]
    finish(workspace, json, body, lambda answer: table(answer["rows"], columns, "None of its settings can be built."))


@bench_app.command("published")
def published(workspace: WorkspaceOption = WORKSPACE, json: JsonOption = False) -> None:
    """Summarise the published study: its speed-ups, those at equal recall, and what else its figures show.

    Example: python -m pipeline bench published --json
    """

    def body() -> Answer:
        from pipeline.bench.analysis.answers import published_answer

        return published_answer()

    def show(answer: Answer) -> None:
        for one in answer["scenarios"]:
            least, most = one["published"]
            print(f"{one['scenario']}: published {least:.1f} to {most:.1f} times at the same nlist and nprobe.")
            print("  " + "\n  ".join(one["sentences"]))
        print("\n".join(answer["lessons"]))
        print(answer["source"])

    finish(workspace, json, body, show)


@bench_app.command("report")
def report(
    name: Annotated[str, typer.Argument(help="A run as `bench list` names it, or 'published'.")],
    out: Annotated[Path, typer.Option(help="A file that ends in .html.")],
    force: ForceOption = False,
    scenario: MeasuredScenarioOption = None,
    nq: NqOption = None,
    top_k: TopKOption = None,
    concurrency: ConcurrencyOption = None,
    client: ClientOption = None,
    prices: PricesOption = None,
    workspace: WorkspaceOption = WORKSPACE,
    json: JsonOption = False,
) -> None:
    """Write a run's figures and answers as one HTML file that opens without a network.

    Example: python -m pipeline bench report published --scenario user-user --out study.html
    """

    def body() -> Answer:
        from pipeline.bench.analysis.prices import find_prices
        from pipeline.figures.report import write_report  # figures are the app's; nothing of Streamlit comes with them
        from pipeline.store.outputs import check_target

        opened = Workspace.open(workspace)
        check_target(out, force, (".html",))
        given = _given(scenario, nq, top_k, concurrency, client)
        write_report(opened, name, out, given, find_prices(opened, prices))
        return {"run": name, "file": str(out.absolute()), "bytes": out.stat().st_size}

    def show(answer: dict[str, Any]) -> None:
        print(f"Wrote {answer['file']}, {answer['bytes']:,} bytes.")

    finish(workspace, json, body, show)
