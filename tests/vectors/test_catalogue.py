"""The catalogue refuses what Milvus would, before it is asked, and every entry explains itself."""

import pytest

from pipeline.errors import UserError
from pipeline.vectors.catalogue import CATALOGUE, index_type, parse_params, validate_build, validate_search

HNSW, IVF, FLAT = CATALOGUE["HNSW"], CATALOGUE["IVF_FLAT"], CATALOGUE["FLAT"]


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_entry_explains_itself(name: str) -> None:
    entry = CATALOGUE[name]
    assert entry.summary.endswith(".")
    assert entry.when_to_use.endswith(".")
    assert entry.source.startswith("https://")
    for param in (*entry.build, *entry.search):
        assert param.low <= param.default <= param.high
        assert param.meaning.endswith(".")
        assert param.effect.endswith(".")


@pytest.mark.parametrize("name", CATALOGUE)
def test_defaults_hold_for_few_rows_and_many(name: str) -> None:
    for rows in (1, 2, 217, 10_000_000):
        build = validate_build(CATALOGUE[name], {}, 64, rows)
        assert build.get("nlist", 1) <= rows
        search = validate_search(CATALOGUE[name], build, {}, top_k=1000)
        assert search.get("ef", 1000) >= 1000
        assert search.get("nprobe", 1) <= build.get("nlist", 1)


def test_bad_build_parameters_are_refused() -> None:
    for given, expected in (
        ({"nlist": 500}, "nlist 500 is over the 217 vectors"),
        ({"nlist": 0}, "nlist 0 is out of range: choose 1 to 65,536"),
        ({"nprobe": 3}, "IVF_FLAT has no parameter 'nprobe' here: it takes nlist"),
        ({"nlits": 3}, "Did you mean nlist?"),
    ):
        with pytest.raises(UserError) as caught:
            validate_build(IVF, given, 64, 217)
        assert expected in str(caught.value)


def test_bad_search_parameters_are_refused() -> None:
    with pytest.raises(UserError, match="ef 5 is below top_k 10"):
        validate_search(HNSW, {}, {"ef": 5}, 10)
    with pytest.raises(UserError, match="nprobe 65 is over the index's nlist: choose at most 64"):
        validate_search(IVF, {"nlist": 64}, {"nprobe": 65}, 10)
    with pytest.raises(UserError, match="top_k 20,000 is over what Milvus answers"):
        validate_search(FLAT, {}, {}, 20_000)


def test_names_are_found_in_any_case_and_misspelt_ones_are_named() -> None:
    assert index_type("hnsw") is HNSW
    with pytest.raises(UserError, match="There is no index type 'HNWS'.*Did you mean HNSW"):
        index_type("HNWS")


def test_parameters_are_read_from_text() -> None:
    assert parse_params("M=16, efConstruction=200") == {"M": 16, "efConstruction": 200}
    for text in ("M", "M=x", "M=1.5"):
        with pytest.raises(UserError, match="is not a parameter"):
            parse_params(text)
