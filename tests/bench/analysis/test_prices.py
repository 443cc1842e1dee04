"""Prices: shipped ones with their source, a workspace's own in their place, and no price that is none."""

from dataclasses import replace

import pytest

from pipeline.bench.analysis import prices
from pipeline.bench.analysis.prices import Price
from pipeline.core.errors import UserError
from pipeline.store.workspace import Workspace
from tests.conftest import cli_here

MINE = Price("mine", 0.02, 0.003, "our contract, page 3", "2026-01-31")


def test_the_shipped_ones_say_where_they_are_from(workspace: Workspace) -> None:
    shipped = {row.name: row for row in prices.load_prices(workspace)}
    assert (shipped["gcp-n1-custom"].vcpu_hour_usd, shipped["gcp-n1-custom"].gb_hour_usd) == (0.033174, 0.004446)
    assert shipped["example"].source.startswith("an example to edit")
    assert all(row.source.startswith("https://") for row in shipped.values() if row.name != "example")


def test_a_gpu_has_a_price_of_its_own_source_and_day_and_what_has_no_day_says_to_check(workspace: Workspace) -> None:
    shipped = {row.name: row for row in prices.load_prices(workspace)}
    gcp, aws = shipped["gcp-n1-custom"], shipped["aws-fargate-x86"]
    assert gcp.gpu_hour_usd == pytest.approx(12 * 0.031611 + 85 * 0.004237 + 2.933908, abs=1e-5)
    assert "a2-highgpu-1g" in gcp.gpu_source
    assert prices.prices_origin(gcp, "gpu").endswith("the day is not known: check it before use")
    assert "g5.xlarge" in aws.gpu_source
    assert prices.prices_origin(aws, "gpu").endswith("of 2026-06-17")
    assert prices.prices_origin(aws).endswith("check it before use")
    assert shipped["example"].gpu_hour_usd is None
    assert prices.prices_origin(replace(MINE, source="", date="")).startswith("your own; the day is not known")


def test_prices_are_found_by_name_and_the_first_is_usual(workspace: Workspace) -> None:
    assert prices.find_prices(workspace, None).name == "example"
    assert prices.find_prices(workspace, "aws-fargate-x86").vcpu_hour_usd == 0.04048
    with pytest.raises(UserError, match="Did you mean gcp-n1-custom"):
        prices.find_prices(workspace, "gcp-n1")


def test_a_month_is_730_hours_of_cores_and_gibibytes() -> None:
    price = Price("n1", 0.033174, 0.004446)
    assert prices.monthly_usd(price, 0, 1) == pytest.approx(24.217, abs=0.001)
    assert prices.monthly_usd(price, 8 * 2**30, 2) == pytest.approx(730 * (2 * 0.033174 + 8 * 0.004446))


def test_a_workspaces_own_take_the_place_of_the_shipped(workspace: Workspace) -> None:
    prices.save(workspace, [MINE])
    assert prices.load_prices(workspace) == [MINE]
    assert [p.name for p in workspace.root.iterdir() if "prices" in p.name] == ["prices.csv"]
    with pytest.raises(UserError):
        prices.save(workspace, [replace(MINE, gb_hour_usd=-1.0)])
    assert prices.load_prices(workspace) == [MINE]  # what was there before still is


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (replace(MINE, vcpu_hour_usd=-0.1), "vcpu_hour_usd '-0.1' of the prices 'mine' is no price"),
        (replace(MINE, gb_hour_usd=float("nan")), "gb_hour_usd 'nan' of the prices 'mine' is no price"),
        (replace(MINE, gb_hour_usd=float("inf")), "gb_hour_usd 'inf'"),
        (replace(MINE, gb_hour_usd="cheap"), "gb_hour_usd 'cheap' of the prices 'mine' is no price: give USD an hour"),  # type: ignore[arg-type]
        (replace(MINE, name="My prices"), "'My prices' cannot name prices"),
        (replace(MINE, date="31.1.2026"), "The date '31.1.2026' of the prices 'mine' is none: write it as YYYY-MM-DD"),
        (replace(MINE, date="2026-02-30"), "The date '2026-02-30'"),
    ],
)
def test_what_is_no_price_is_a_sentence(workspace: Workspace, row: Price, expected: str) -> None:
    with pytest.raises(UserError) as caught:
        prices.save(workspace, [row])
    assert expected in str(caught.value)
    assert not prices.own_file(workspace).exists()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name,vcpu_hour_usd,gb_hour_usd\na,1,2\na,1,2\n", "The prices 'a' stand there more than once"),
        ("name,vcpu_hour_usd\na,1\n", "gb_hour_usd 'None' of the prices 'a' is no price"),
        ("name,vcpu_hour_usd,gb_hour_usd\n", "There is no price: give at least one"),
        ("", "There is no price: give at least one"),
    ],
)
def test_a_file_edited_by_hand_is_checked_as_well(workspace: Workspace, text: str, expected: str) -> None:
    prices.own_file(workspace).write_text(text)
    with pytest.raises(UserError) as caught:
        prices.load_prices(workspace)
    assert expected in str(caught.value)
    assert str(prices.own_file(workspace)) in str(caught.value)


def test_the_command_line_changes_and_lists_them(workspace: Workspace) -> None:
    root = workspace.root
    assert cli_here(root, "prices", "list")[1]["own"] is False
    given = ["--vcpu-hour", "0.02", "--gb-hour", "0.003", "--source", "our contract, page 3", "--date", "2026-01-31"]
    assert cli_here(root, "prices", "set", "mine", *given)[0] == 0
    assert prices.load_prices(workspace)[-1] == MINE
    assert [row.name for row in prices.load_prices(workspace)][:-1] == [
        row.name for row in prices._read(prices.SHIPPED)
    ]
    code, answer = cli_here(root, "prices", "set", "gcp-n1-custom", "--gb-hour", "0.005")
    assert (code, answer["vcpu_hour_usd"], answer["gb_hour_usd"], answer["source"]) == (0, 0.033174, 0.005, "")
    answer = cli_here(root, "prices", "set", "mine", "--date", "2026-02-28")[1]
    assert (answer["source"], answer["date"]) == (MINE.source, "2026-02-28")
    answer = cli_here(
        root, "prices", "set", "mine", "--gpu-hour", "1.5", "--gpu-source", "ours", "--gpu-date", "2026-03-01"
    )[1]
    assert (answer["gpu_hour_usd"], answer["gpu_source"], answer["gpu_date"]) == (1.5, "ours", "2026-03-01")
    answer = cli_here(root, "prices", "set", "mine", "--gpu-hour", "2")[1]
    assert (answer["source"], answer["gpu_source"], answer["gpu_date"]) == (MINE.source, "", "")
    assert cli_here(root, "prices", "list")[1]["prices"][-1]["name"] == "mine"
    for bad, expected in (
        (["mine", "--gb-hour", "-1"], "gb_hour_usd '-1' of the prices 'mine' is no price"),
        (["mine", "--vcpu-hour", "x"], "vcpu_hour_usd 'x'"),
        (["mine", "--gpu-hour", "-2"], "gpu_hour_usd '-2' of the prices 'mine' is no price"),
        (["mine", "--gpu-date", "1.3.2026"], "The date '1.3.2026' of the prices 'mine' is none"),
        (["mien", "--vcpu-hour", "1"], "There are no prices 'mien' yet: give --vcpu-hour and --gb-hour. Did you mean"),
    ):
        code, answer = cli_here(root, "prices", "set", *bad)
        assert code == 2
        assert expected in answer["error"]
