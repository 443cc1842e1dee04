"""What a Milvus server answers when it refuses, as a sentence with the way out."""

_UNREACHABLE = ("connect", "unavailable", "deadline", "timeout", "channel", "retry", "rpcerror", "not ready", "healthy")


def sentence(uri: str, collection: str, message: str, doing: str = "") -> str:
    """Say what `message` of pymilvus or gRPC means and what to do; `doing` is what was cut off by it."""
    low = message.lower()
    if "auth" in low or "password" in low or "unauthenticated" in low:
        return f"Milvus at {uri} refused the user or password: set MILVUS_TOKEN to 'user:password' or an API key."
    if "not found" in low or "not exist" in low or "can't find" in low:
        return f"Milvus at {uri} has no collection '{collection}' any more: build the index again."
    if "no space left" in low:
        return (
            f"Milvus at {uri} has a full disk: free some space for its data and try again; what was flushed is there."
        )
    if any(word in low for word in _UNREACHABLE):
        if doing:
            return f"Milvus at {uri} ended or stopped answering while {doing}: see `milvus status`, then try again."
        return f"Milvus at {uri} does not answer: see `milvus status`; for a server of your own check MILVUS_URI."
    return f"Milvus at {uri} refused: {message.splitlines()[0][:300] if message else 'no reason given'}"
