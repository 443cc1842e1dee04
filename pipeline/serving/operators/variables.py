"""The environment variables that loaded operators read; no address and no token is pickled with an ensemble."""

ADDRESS_VARIABLE, URI_VARIABLE, TOKEN_VARIABLE = "MILVUS_ADDRESS", "MILVUS_URI", "MILVUS_TOKEN"
REPOSITORY_VARIABLE = "CLICK_ROAD_FEATURES"  # the feature repository
