"""The one place for column names, folder names and constants that several modules share."""

from typing import Any

# Columns of the canonical tables
SESSION_ID = "session_id"
TIMESTAMP = "timestamp"
ITEM_ID = "item_id"
CATEGORY = "category"
CLICK_COLUMNS = (SESSION_ID, TIMESTAMP, ITEM_ID, CATEGORY)
ITEM_IDX = "item_idx"  # the encoded item, as NVTabular 23.8 numbers it
CATEGORY_IDX = "category_idx"
POPULARITY = "popularity"  # clicks in training, as a column beside a vector
PRICE = "price"
VECTOR = "vector"
ID = "id"
CLICKS, TRAIN_CLICKS = "clicks", "train_clicks"  # of an item, in all and in training
RANK, SCORE = "rank", "score"  # of an item in an answer

_OF_TABLES = (*CLICK_COLUMNS, ITEM_IDX, CATEGORY_IDX, CLICKS, TRAIN_CLICKS, "_id", "_category")  # joined on `_id`
_OF_ROWS = (ID, VECTOR, "key", "source_id", "$meta")  # of an index
RESERVED = frozenset([*_OF_TABLES, *_OF_ROWS, RANK, SCORE, POPULARITY])
"""What metadata of an item cannot be called, but for `item_id` and `category`, which it may bring."""

DEFAULT_MODEL = "session"  # what commands and pages speak of where no model is named

# NVTabular's encoding: 0 padding, 1 null, 2 out of vocabulary, the first value 3
OUT_OF_VOCABULARY = 2
FIRST_IDX = 3

MOST_TEXT_BYTES = 512  # of an id, a category or another text that an index keeps beside a vector

UNKNOWN_CATEGORY = "0"  # how YOOCHOOSE writes "no category"
SPECIAL_OFFER = "S"  # YOOCHOOSE: the click came through a special offer, not through a category
NO_CATEGORY = (UNKNOWN_CATEGORY, SPECIAL_OFFER)  # names that say nothing of an item

LATER: dict[str, Any] = {"later": True}  # marks a field of a stage's config that earlier keys do not have
