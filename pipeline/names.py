"""The one place for column names, folder names and constants that several modules share."""

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

DEFAULT_MODEL = "session"  # what commands and pages speak of where no model is named

# NVTabular's encoding: 0 padding, 1 null, 2 out of vocabulary, the first value 3
FIRST_IDX = 3

UNKNOWN_CATEGORY = "0"  # how YOOCHOOSE writes "no category"
SPECIAL_OFFER = "S"  # YOOCHOOSE: the click came through a special offer, not through a category
