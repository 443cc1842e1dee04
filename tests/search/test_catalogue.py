"""The catalogue refuses what Milvus would, before it is asked, and every entry explains itself."""

import json

import pytest

from pipeline.core.errors import UserError
from pipeline.search.catalogue import CATALOGUE, index_type
from pipeline.search.compatibility import EMBEDDED, ServerFacts, check_age, supported_names, why_not
from pipeline.search.params import (
    Values,
    estimate,
    format_params,
    parse_params,
    raised,
    validate_build,
    validate_search,
)

HNSW, IVF, FLAT = CATALOGUE["HNSW"], CATALOGUE["IVF_FLAT"], CATALOGUE["FLAT"]


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_entry_explains_itself(name: str) -> None:
    entry = CATALOGUE[name]
    assert entry.summary.endswith(".")
    assert entry.when_to_use.endswith(".")
    assert entry.source.startswith("https://")
    for param in (*entry.build, *entry.search):
        if param.kind == "choice":
            assert param.default in param.choices
        elif param.kind != "bool":
            assert param.low <= float(param.default) <= param.high
        assert param.meaning.endswith(".")
        assert param.effect.endswith(".")


@pytest.mark.parametrize("name", CATALOGUE)
def test_defaults_hold_for_few_rows_and_many(name: str) -> None:
    for rows in (1, 2, 217, 10_000_000):
        build = validate_build(CATALOGUE[name], {}, 64, rows)
        assert validate_build(CATALOGUE[name], build, 64, rows) == build  # what is filled in is valid itself
        assert int(build.get("nlist", 1)) <= rows
        assert 64 % int(build.get("m", 1)) == 0
        search = validate_search(CATALOGUE[name], build, {}, top_k=1000)
        assert validate_search(CATALOGUE[name], build, search, top_k=1000) == search
        assert all(int(search.get(p, 1000)) >= 1000 for p in ("ef", "reorder_k", "search_list", "itopk_size"))
        assert int(search.get("nprobe", 1)) <= int(build.get("nlist", 1))
        takes = estimate(CATALOGUE[name], build, 64, rows)
        assert takes.memory_bytes > 0
        assert takes.build_s > 0


@pytest.mark.parametrize("name", ["IVF_FLAT", "IVF_SQ8", "IVF_PQ"])
def test_clusters_by_default_are_trained_in_minutes_however_many_rows_there_are(name: str) -> None:
    ivf = CATALOGUE[name]
    assert validate_build(ivf, {}, 64, 10_000)["nlist"] == 400
    assert validate_build(ivf, {}, 64, 50_000_000)["nlist"] == 1024
    took = [estimate(ivf, {"nlist": 1024, "m": 32, "nbits": 8}, 64, rows).build_s for rows in (10**5, 10**6, 10**7)]
    assert took == sorted(took)
    assert took[2] < 600
    assert estimate(ivf, {"nlist": 4096, "m": 32, "nbits": 8}, 64, 10**7).build_s > 4 * took[2]


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


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("IVF_PQ", {"m": 7}, "m 7 does not divide dim 64: choose one of 1, 2, 4, 8, 16, 32, 64"),
        ("IVF_PQ", {"m": 65}, "m 65 is over the 64 dimensions: choose at most 64"),
        ("SCANN", {"with_raw_data": "maybe"}, "with_raw_data 'maybe' is neither true nor false"),
        ("HNSW_SQ", {"sq_type": "SQ4"}, "sq_type 'SQ4' is none of SQ6, SQ8, BF16, FP16"),
        ("HNSW", {"M": "many"}, "M 'many' is not a whole number: choose 2 to 2,048"),
        ("HNSW", {"M": 1.5}, "M '1.5' is not a whole number"),
        ("GPU_CAGRA", {"graph_degree": 200}, "graph_degree 200 is over intermediate_graph_degree 128"),
    ],
)
def test_what_breaks_a_rule_of_the_catalogue_is_named(name: str, given: Values, expected: str) -> None:
    with pytest.raises(UserError) as caught:
        validate_build(CATALOGUE[name], given, 64, 10_000)
    assert expected in str(caught.value)


NEWER = ServerFacts("mine", "v2.6.1", "cpu")
WITH_GPU = ServerFacts("card", "2.4.15-gpu", "gpu")


def test_the_embedded_server_builds_what_it_can() -> None:
    assert supported_names(EMBEDDED) == ["FLAT", "IVF_FLAT", "IVF_SQ8", "IVF_PQ", "HNSW", "SCANN", "AUTOINDEX"]


@pytest.mark.parametrize("name", [n for n in CATALOGUE if n not in supported_names(EMBEDDED)])
def test_what_the_embedded_server_cannot_is_refused_with_its_reason(name: str) -> None:
    reason = why_not(CATALOGUE[name], EMBEDDED)
    assert reason is not None
    assert reason.startswith(name)
    assert "Milvus 2.3.5, CPU" in reason
    expected = "GPU" if CATALOGUE[name].device == "gpu" else "came with" if name != "DISKANN" else "does not finish"
    assert expected in reason


def test_other_servers_build_more() -> None:
    assert {"DISKANN", "HNSW_PRQ", "IVF_RABITQ"} <= set(supported_names(NEWER))
    assert not {n for n in supported_names(NEWER) if n.startswith("GPU")}
    assert {"GPU_CAGRA", "GPU_BRUTE_FORCE", "HNSW"} <= set(supported_names(WITH_GPU))
    assert "came with Milvus 2.5" in str(why_not(CATALOGUE["HNSW_SQ"], WITH_GPU))


def test_a_server_that_is_too_old_is_refused() -> None:
    with pytest.raises(UserError, match=r"Milvus v2.2.16 at http://old:19530 is too old: use 2.3 or newer"):
        check_age("v2.2.16", "http://old:19530")
    for version in ("2.3.5-lite", "v2.6.0", "Zilliz Cloud"):
        check_age(version, "x")


@pytest.mark.parametrize("name", [n for n, index in CATALOGUE.items() if index.device == "gpu"])
def test_a_gpu_index_is_asked_for_as_the_manual_says(name: str) -> None:
    """There is no GPU here: what would be sent to a server that has one is held against its manual."""
    from pymilvus.client.prepare import Prepare

    params = validate_build(CATALOGUE[name], {}, 64, 10_000)
    spec = {"index_type": name, "metric_type": "IP", "params": params}
    sent = {p.key: p.value for p in Prepare.create_index_request("c", "vector", spec).extra_params}
    assert sent["index_type"] == name
    assert sent["metric_type"] == "IP"
    expected: dict[str, set[str]] = {
        "GPU_BRUTE_FORCE": set(),
        "GPU_IVF_FLAT": {"nlist"},
        "GPU_IVF_PQ": {"nlist", "m", "nbits"},
        "GPU_CAGRA": {"intermediate_graph_degree", "graph_degree", "build_algo", "cache_dataset_on_device"},
    }
    assert set(json.loads(sent.get("params", "{}"))) == expected[name]


def test_bad_search_parameters_are_refused() -> None:
    with pytest.raises(UserError, match="ef 5 is below top_k 10"):
        validate_search(HNSW, {}, {"ef": 5}, 10)
    with pytest.raises(UserError, match="nprobe 65 is over the index's nlist: choose at most 64"):
        validate_search(IVF, {"nlist": 64}, {"nprobe": 65}, 10)
    with pytest.raises(UserError, match="top_k 20,000 is over what FLAT answers"):
        validate_search(FLAT, {}, {}, 20_000)


def test_names_are_found_in_any_case_and_misspelt_ones_are_named() -> None:
    assert index_type("hnsw") is HNSW
    with pytest.raises(UserError, match="There is no index type 'HNWS'.*Did you mean HNSW"):
        index_type("HNWS")


def test_parameters_are_read_from_text() -> None:
    assert parse_params("M=16, efConstruction=200") == {"M": 16, "efConstruction": 200}
    assert parse_params("refine=true,refine_k=1.5,sq_type=SQ8") == {"refine": True, "refine_k": 1.5, "sq_type": "SQ8"}
    assert parse_params(format_params({"refine": False, "M": 4})) == {"refine": False, "M": 4}
    for text in ("M", "M=", "=3"):
        with pytest.raises(UserError, match="is not a parameter"):
            parse_params(text)


def test_search_parameters_are_raised_to_what_holds_for_top_k() -> None:
    assert raised(HNSW, {"ef": 10}, 100) == {"ef": 100}
    assert raised(HNSW, {"ef": 120}, 100) == {"ef": 120}
    assert raised(IVF, {"nprobe": 8}, 100) == {"nprobe": 8}
    assert raised(CATALOGUE["SCANN"], {"nprobe": 8, "reorder_k": 50}, 100) == {"nprobe": 8, "reorder_k": 100}
