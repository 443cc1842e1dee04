"""The made-up shop clicks as published statistics say that people click, and reads as a shop."""

import re
import subprocess
import sys

import numpy as np
import polars as pl
import pytest

from pipeline.clicks import Clicks, ClickSource, read_source
from pipeline.clicks.made_up.assortment import COLOURS, STYLES
from pipeline.core.columns import CATEGORY, ITEM_ID, SESSION_ID, TIMESTAMP
from pipeline.core.errors import UserError


@pytest.fixture(scope="module")
def shop() -> Clicks:
    return read_source(ClickSource("shop"))


def test_sessions_are_as_long_and_repeat_as_often_as_published(shop: Clicks) -> None:
    sessions = shop.clicks.group_by(SESSION_ID).agg(pl.len().alias("length"), pl.col(ITEM_ID).n_unique().alias("new"))
    longer = sessions.filter(pl.col("length") > 1)
    assert sessions["length"].mean() == pytest.approx(3.57, abs=0.05)
    assert (sessions["length"] == 1).mean() == pytest.approx(0.137, abs=0.01)
    assert longer["length"].mean() == pytest.approx(3.97, abs=0.05)
    assert int(longer["new"].sum()) / int(longer["length"].sum()) == pytest.approx(0.80, abs=0.01)


def test_a_few_of_ten_thousand_items_draw_half_of_the_clicks(shop: Clicks) -> None:
    counts = shop.items["clicks"].sort(descending=True).to_numpy()
    assert 9_500 < len(counts) < 10_500
    share = np.cumsum(counts) / counts.sum()
    assert share[len(counts) // 100] == pytest.approx(1 / 6, abs=0.02)
    assert share[len(counts) // 10] == pytest.approx(1 / 2, abs=0.03)


def test_items_read_as_what_they_are(shop: Clicks) -> None:
    styles = {style: (category, facts[1]) for category, there in STYLES.items() for style, facts in there.items()}
    for item in shop.items.sample(300, seed=1).iter_rows(named=True):
        found = re.fullmatch(r"(\w+) (.+) (\d+)", item["name"])
        assert found is not None
        assert found[1].lower() == item["colour"]
        assert found[1].lower() in COLOURS
        assert styles[found[2]] == (item[CATEGORY], item["season"])
        assert item[ITEM_ID][1:] == found[3]
        assert 9 < item["price"] < 500


def test_clothes_are_clicked_in_their_season(shop: Clicks) -> None:
    months = (
        shop.clicks.join(shop.items, on=ITEM_ID).group_by(pl.col(TIMESTAMP).dt.month().alias("month"), "season").len()
    )
    by = {(month, season): count for month, season, count in months.iter_rows()}
    assert by[7, "summer"] > 1.5 * by[1, "summer"]
    assert by[1, "winter"] > 1.5 * by[7, "winter"]


def test_the_same_name_is_the_same_clicks_in_every_process_and_another_seed_others() -> None:
    command = (
        "import sys; from pipeline.clicks import ClickSource, read_source; import hashlib;"
        "found = read_source(ClickSource(sys.argv[1]));"
        "print(hashlib.sha256((found.clicks.write_csv() + found.items.write_csv()).encode()).hexdigest())"
    )

    def printed(name: str) -> str:
        return subprocess.run([sys.executable, "-c", command, name], capture_output=True, text=True, check=True).stdout

    first = printed("shop:2000")
    assert printed("shop:2000:2026") == first
    assert printed("shop:2000:1") != first


@pytest.mark.parametrize("sessions", [200, 3000])
def test_a_smaller_shop_has_fewer_items(sessions: int) -> None:
    found = read_source(ClickSource(f"shop:{sessions}"))
    assert found.clicks[SESSION_ID].n_unique() == sessions
    assert found.items.height < 900
    assert found.items["name"].null_count() == 0


@pytest.mark.parametrize("name", ["shop:", "shop:many", "shop:3", "shop:5000000", "shop:3000:1:2", "shop:²"])
def test_another_text_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=r"is not shop\[:SESSIONS\[:SEED\]\]: give whole numbers, 200 to 1,000,000"):
        read_source(ClickSource(name))
