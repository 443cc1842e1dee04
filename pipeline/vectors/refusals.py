"""What a Milvus server answers when it refuses, as a sentence with the way out."""

_UNREACHABLE = ("connect", "unavailable", "deadline", "timeout", "channel", "retry", "rpcerror", "not ready", "healthy")
# words in the message -> the sentence; the first that fits
_SENTENCES = (
    (
        ("parse expression", "boolean expression", "unsupported expr"),
        "Milvus refused the filter ({why}): write comparisons joined by and, or, not, such as price < 40 and "
        "category == 'skirts'.",
    ),
    (
        ("auth", "password", "unauthenticated"),
        "Milvus at {uri} refused the user or password: set MILVUS_TOKEN to 'user:password' or an API key.",
    ),
    (
        ("not found", "not exist", "can't find"),
        "Milvus at {uri} has no collection '{collection}' any more: build the index again.",
    ),
    (
        ("no space left",),
        "Milvus at {uri} has a full disk: free some space for its data and try again; what was flushed is there.",
    ),
)
_GONE_WHILE = "Milvus at {uri} ended or stopped answering while {doing}: see `milvus status`, then try again."
_GONE = "Milvus at {uri} does not answer: see `milvus status`; for a server of your own check MILVUS_URI."


def sentence(uri: str, collection: str, message: str, doing: str = "", answered: bool = False) -> str:
    """Say what `message` of pymilvus or gRPC means and what to do; `doing` is what was cut off by it.

    Where the server itself `answered` so, it is not gone, whatever words the message has.
    """
    low = message.lower()
    gone = () if answered else ((_UNREACHABLE, _GONE_WHILE if doing else _GONE),)
    for words, text in (*_SENTENCES, *gone):
        if any(word in low for word in words):
            return text.format(uri=uri, collection=collection, doing=doing, why=_why(message))
    return f"Milvus at {uri} refused: {message.splitlines()[0][:300] if message else 'no reason given'}"


def _why(message: str) -> str:
    """Shorten what Milvus says of an expression that it cannot read: no grammar, no stack."""
    last = message.rsplit("=> ", maxsplit=1)[-1]
    reason = last.partition(", error: ")[2] or last
    return (
        " ".join(reason.partition(" expecting {")[0].splitlines()[0].split())[:160] if reason.strip() else "no reason"
    )
