"""The ranker's features of a session and an item, in plain words."""

FEATURES = {
    "category_share": "share of the session's clicks in its category",
    "clicks": "length of the session",
    "log_rank": "place in retrieval (logarithm)",
    "popularity": "popularity (logarithm of its clicks in training)",
    "price": "price beside the last click's (logarithm of the ratio)",
    "rank": "place in retrieval (1 / rank)",
    "recency": "how recently the session clicked it",
    "rule": "how often it follows the last click",
    "rule_before": "how often it follows the click before",
    "same_category": "same category as the last click",
    "score": "retrieval's score (in standard deviations)",
    "similar": "similarity to the last click (ItemKNN)",
    "similar_all": "similarity to all clicks (ItemKNN)",
}
