"""The schema of both parts as Merlin reads it, written without Merlin: names, types, tags, and the largest numbers."""

from pathlib import Path

from pipeline.core.columns import CATEGORY, CATEGORY_IDX, FIRST_IDX, ITEM_ID, ITEM_IDX, SESSION_ID, TIMESTAMP
from pipeline.sessions.vocabulary import Vocabulary

FILE = "schema.pbtxt"
_NUMBERED = """feature {{
  name: "{column}"
  type: INT
  int_domain {{
    name: "{of}"
    max: {largest}
    is_categorical: true
  }}
  annotation {{
{tags}
  }}
}}
"""
_SESSION = """feature {{
  name: "{column}"
  type: INT
  annotation {{
    tag: "id"
    tag: "session"
  }}
}}
"""
_TIME = """feature {{
  name: "{column}"
}}
"""


def write_schema(folder: Path, vocabulary: Vocabulary) -> None:
    """Write folder/schema.pbtxt, in the order of the columns."""
    numbered = (
        (ITEM_IDX, ITEM_ID, vocabulary.items.height, ("id", "categorical", "item")),
        (CATEGORY_IDX, CATEGORY, vocabulary.categories.height, ("categorical", "item")),
    )
    parts = [
        _NUMBERED.format(
            column=column, of=of, largest=FIRST_IDX + count - 1, tags="\n".join(f'    tag: "{tag}"' for tag in tags)
        )
        for column, of, count, tags in numbered
    ]
    (folder / FILE).write_text("".join([*parts, _SESSION.format(column=SESSION_ID), _TIME.format(column=TIMESTAMP)]))
