"""What Milvus refuses is told by its codes: no name that a person chose is taken for a reason."""

from typing import Any

import grpc
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymilvus import MilvusException, utility

from pipeline.core.errors import UserError
from pipeline.search.engine import Endpoint
from pipeline.search.milvus.client import MilvusEngine
from pipeline.search.milvus.refusals import Meaning, meaning, meaning_of_status, refusal_sentence

NAMES = ["authors", "password_resets", "channels", "connected", "timeouts", "not_found", "retry", "not_loaded"]


class _Refused(grpc.RpcError):
    """As gRPC's own errors are: a code and details."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        self.code, self.details = lambda: code, lambda: details


@pytest.mark.parametrize(
    ("error", "meant"),
    [
        (_Refused(grpc.StatusCode.UNAUTHENTICATED, "auth check failure, please check username"), Meaning.PASSWORD),
        (_Refused(grpc.StatusCode.PERMISSION_DENIED, "PrivilegeSearch: permission deny to guest"), Meaning.RIGHT),
        (_Refused(grpc.StatusCode.UNAVAILABLE, "failed to connect to all addresses"), Meaning.GONE),
        (_Refused(grpc.StatusCode.INTERNAL, "auth password not found"), Meaning.OTHER),
        (grpc.FutureTimeoutError(), Meaning.GONE),
        (MilvusException(_Refused(grpc.StatusCode.UNAVAILABLE, "").code, "[search] Retry timeout: 10s"), Meaning.GONE),
        (MilvusException(2, "Fail connecting to server on 127.0.0.1:9"), Meaning.GONE),
        (MilvusException(100, "collection not found[collection=authors]", 4), Meaning.NO_COLLECTION),
        (MilvusException(0, "can't find collection: authors", 4), Meaning.NO_COLLECTION),
        (MilvusException(101, "failed to search: collection not loaded[collection=1]"), Meaning.NOT_LOADED),
        (MilvusException(65535, "write /data/x: no space left on device"), Meaning.DISK),
        (MilvusException(1, "service not ready[rootcoord=1]: Initializing"), Meaning.GONE),
        (MilvusException(65535, "rpc error: code = Unavailable desc = transport is closing"), Meaning.GONE),
        (MilvusException(1100, "failed to create query plan: cannot parse expression: a <, error: x"), Meaning.FILTER),
        (MilvusException(65535, "topk [9] is invalid, it should be in the authors' range"), Meaning.OTHER),
    ],
)
def test_codes_say_what_is_meant(error: Exception, meant: Meaning) -> None:
    assert meaning(error)[0] is meant


@given(st.text(max_size=40))
@settings(max_examples=200, deadline=None)
def test_an_expression_is_never_more_than_an_expression(text: str) -> None:
    told = f"failed to create query plan: cannot parse expression: {text}, error: line 1"
    assert meaning_of_status(65535, 1, told) is Meaning.FILTER
    assert refusal_sentence("http://x", "c", Meaning.FILTER, told).startswith("Milvus refused the filter")


@given(st.sampled_from(NAMES), st.sampled_from(list(Meaning)))
def test_every_sentence_holds_what_it_names(name: str, meant: Meaning) -> None:
    told = refusal_sentence("http://x", name, meant, f"about {name} {{braces}}")
    assert "{" not in told.replace("{braces}", "")
    assert name in told or "http://x" in told or meant is Meaning.FILTER


@pytest.mark.milvus
@pytest.mark.parametrize("name", NAMES)
def test_a_collection_that_is_not_there_is_said_whatever_its_name(engine: MilvusEngine, name: str) -> None:
    queries = np.zeros((1, 4), np.float32)
    asked: list[Any] = [
        lambda: engine.describe(name),
        lambda: engine.load(name),
        lambda: engine.search(name, queries, 1, {}),
    ]
    for ask in asked:
        with pytest.raises(UserError, match=f"has no collection '{name}' any more: build the index again"):
            ask()


@pytest.mark.milvus
def test_a_filter_with_any_word_in_it_is_a_filter(engine: MilvusEngine) -> None:
    vectors = np.random.default_rng(0).standard_normal((10, 4), np.float32)
    engine.create("t_words", 4, "IP")
    try:
        engine.insert("t_words", np.arange(10), vectors, {})
        engine.build("t_words", "FLAT", {}, "IP")
        engine.load("t_words")
        for words in ("password", "no space left on device", "service not ready", "connect", "rpc error: code ="):
            with pytest.raises(UserError, match="Milvus refused the filter"):
                engine.search("t_words", vectors[:1], 1, {}, f"nothing == '{words}'")
    finally:
        engine.drop("t_words")


@pytest.mark.milvus
def test_a_right_that_is_missing_is_no_wrong_password(engine: MilvusEngine) -> None:
    utility.create_user("guest", "secret12", using=engine.alias)
    try:
        guest = MilvusEngine(Endpoint(engine.endpoint.uri, "guest:secret12"))
        with pytest.raises(UserError, match="does not allow this user to do that .*let its owner grant the right"):
            guest.create("mine", 4, "IP")
    finally:
        utility.delete_user("guest", using=engine.alias)
