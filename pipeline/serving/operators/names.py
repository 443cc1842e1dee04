"""The columns that the operators hand on, by name, for whoever writes a request or reads an answer without Merlin."""

VECTOR, CODE = "query_vector", "history_code"
IDS, SCORES = "candidate_ids", "candidate_scores"
KEPT = "kept_ids"
RANKED = "ranked_scores"
ORDERED_IDS, ORDERED_SCORES, ORDER = "ordered_ids", "ordered_scores", "order"
FINGERPRINT = "fingerprint"
