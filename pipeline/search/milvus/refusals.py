"""What a Milvus server answers when it refuses, as a sentence with the way out.

What is meant is read from codes: gRPC's status codes, those of Milvus (pkg/util/merr of its source, since 2.3), and
those that it had before (ErrorCode of its common.proto), which it still sends. Only what has none of its own is read
from the text, where that cannot be a name that a person chose.
"""

import re
from enum import Enum
from typing import Any


class Meaning(Enum):
    """What an error means for who asked: the sentence to it."""

    NOT_LOADED = "Collection '{collection}' is not in memory: load it with `index load`."
    FILTER = (
        "Milvus refused the filter ({why}): write comparisons joined by and, or, not, such as price < 40 and "
        "category == 'skirts'."
    )
    PASSWORD = "Milvus at {uri} refused the user or password: set MILVUS_TOKEN to 'user:password' or an API key."
    RIGHT = "Milvus at {uri} does not allow this user to do that ({why}): let its owner grant the right."
    NO_COLLECTION = "Milvus at {uri} has no collection '{collection}' any more: build the index again."
    DISK = "Milvus at {uri} has a full disk: free some space for its data and try again; what was flushed is there."
    GONE = "Milvus at {uri} does not answer: see `milvus status`; for a server of your own check MILVUS_URI."
    OTHER = "Milvus at {uri} refused: {why}"


_GONE_WHILE = "Milvus at {uri} ended or stopped answering while {doing}: see `milvus status`, then try again."
_GRPC = {
    "UNAUTHENTICATED": Meaning.PASSWORD,
    "PERMISSION_DENIED": Meaning.RIGHT,
    "UNAVAILABLE": Meaning.GONE,
    "DEADLINE_EXCEEDED": Meaning.GONE,
    "CANCELLED": Meaning.GONE,  # the channel was closed
}
_MERR = {
    2: Meaning.GONE,  # service unavailable; for pymilvus itself: no connection
    7: Meaning.DISK,  # over the limit of the disk
    100: Meaning.NO_COLLECTION,
    101: Meaning.NOT_LOADED,
    401: Meaning.GONE,  # no replica
    503: Meaning.GONE,  # no channel
    **dict.fromkeys(range(901, 906), Meaning.GONE),  # a part of the server is away
    1400: Meaning.PASSWORD,
    1401: Meaning.RIGHT,
}
_BEFORE = {
    2: Meaning.GONE,
    3: Meaning.RIGHT,
    4: Meaning.NO_COLLECTION,
    46: Meaning.GONE,  # no replica
    54: Meaning.DISK,
    56: Meaning.GONE,  # not ready to serve
    57: Meaning.GONE,
}
_WITHOUT_CODE = ("FutureTimeoutError", "ConnectionNotExistException")  # gRPC's waiting was in vain; it is closed
_TEXTS = (
    # code 65535 or 1100, as of every wrong parameter; the expression itself stands behind these words
    (
        re.compile(
            r"(\[\w+\] Retry [^,]*, message=)?(failed to create query plan: )?"
            r"(cannot parse expression|predicate is not a boolean expression|unsupported expr)"
        ),
        Meaning.FILTER,
    ),
    # what only a part of the server finds, behind its own account of where: 65535
    (
        re.compile(r"fail(ed)? to (search|query)\b.*\bunsupported expr", re.IGNORECASE | re.DOTALL),
        Meaning.FILTER,
    ),
    # the kernel's words for ENOSPC, which Milvus wraps in an error without a code
    (re.compile(r".*\bno space left on device\b", re.IGNORECASE | re.DOTALL), Meaning.DISK),
    # code 1, which pymilvus gives to errors of its own, too
    (re.compile(r"(\[\w+\] Retry [^,]*, message=)?service not ready\["), Meaning.GONE),
    # how Go writes that one part of the server did not reach another; 65535
    (re.compile(r".*\brpc error: code = (Unavailable|DeadlineExceeded|Canceled)\b", re.DOTALL), Meaning.GONE),
    # pymilvus' wrapping of a ValueError of gRPC's
    (re.compile(r"Unexpected error, message=<Cannot invoke RPC"), Meaning.GONE),
)


def meaning(error: BaseException) -> tuple[Meaning, str]:
    """Tell what an error of pymilvus or gRPC means, and its text."""
    code = getattr(error, "code", None)
    code = code() if callable(code) else code  # gRPC's errors have a method; pymilvus keeps one as a code
    told = getattr(error, "message", None) or (error.details() if hasattr(error, "details") else str(error))
    if type(error).__name__ in _WITHOUT_CODE:
        return Meaning.GONE, str(told)
    if not isinstance(code, int):
        return _GRPC.get(getattr(code, "name", ""), Meaning.OTHER), str(told)
    return meaning_of_status(code, getattr(error, "compatible_code", 0), str(told)), str(told)


def meaning_of_status(code: int, before: int, text: str) -> Meaning:
    """Tell what a status of Milvus means: its code, the one that it had before 2.3, and its text."""
    for meant in (_MERR.get(code), _BEFORE.get(before)):
        if meant is not None:
            return meant
    return next((meant for pattern, meant in _TEXTS if pattern.match(text)), Meaning.OTHER)


def refusal_sentence(uri: str, collection: str, meant: Meaning, text: str, doing: str = "") -> str:
    """Say what is meant and what to do; `text` is the server's, `doing` is what was cut off."""
    form = _GONE_WHILE if doing and meant is Meaning.GONE else meant.value
    if meant is Meaning.FILTER:
        why = _of_expression(text)
    else:
        why = text.splitlines()[0][:300] if text.strip() else "no reason given"
    return form.format(uri=uri, collection=collection, doing=doing, why=why)


def of_answer(status: Any) -> tuple[Meaning, str] | None:
    """Tell what the status of an answer means, with its text; None where it is a success."""
    if not (status.code or status.error_code):
        return None
    text = str(status.reason or status.detail or status.error_code)
    return meaning_of_status(status.code, status.error_code, text), text


def _of_expression(message: str) -> str:
    """Shorten what Milvus says of an expression that it cannot read: no grammar, no stack."""
    last = message.rsplit("=> ", maxsplit=1)[-1]
    reason = last.partition(", error: ")[2] or last
    return (
        " ".join(reason.partition(" expecting {")[0].splitlines()[0].split())[:160] if reason.strip() else "no reason"
    )
