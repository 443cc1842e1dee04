"""A page's URL and its widgets: each is bound to one value of it, so that a link reproduces the view and Back undoes a change.

The URL is where the value lives. A widget writes it when it is changed, under a key that never changes with the value,
and takes it from there at every draw. The key does change with the default, which moves by itself when a job ends: what
a browser says that has not heard of that yet is about the widget that was, and is not taken for a person's choice. What the URL says is untrusted: a reader gives None for what it cannot use.
"""

import math
import zlib
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar
from urllib.parse import quote, unquote

import streamlit as st

Parsed = TypeVar("Parsed")
Read = Callable[[str], Parsed | None]
_KEPT, _PAGE = "url-kept", "url-page"
_NONE = "none"  # what a list that was emptied is written as
_LONGEST = 4000  # characters of one value that are looked at
_BACK = """<script>
if (!window.readsUrlOnBack) {
  window.readsUrlOnBack = true;
  window.addEventListener("popstate", () => {
    if (location.hash) return;
    const url = new URL(location.href);
    if (!window.chosenWorkspace || url.searchParams.has("workspace")) return location.reload();
    url.searchParams.set("workspace", window.chosenWorkspace);
    location.replace(url);
  });
}
</script>"""


def enter(page: str) -> None:
    """Begin to draw a page: forget the values of the one before, and have Back and Forward read the URL again.

    Streamlit sends the query that it last wrote itself, not the one in the address bar, when a person goes back.
    """
    st.html(_BACK, unsafe_allow_javascript=True)
    if st.session_state.get(_PAGE) != page:
        st.session_state[_PAGE] = page
        st.session_state[_KEPT] = {}


def value(name: str, default: Parsed, read: Read[Parsed]) -> Parsed:
    """Read a value of the page's URL, `default` where it is missing or `read` refuses it."""
    text = str(st.query_params.get(name, ""))[:_LONGEST]
    st.session_state.setdefault(_KEPT, {})[name] = text
    found = read(text) if text else None
    return default if found is None else found


def bound(
    name: str, default: Parsed, read: Read[Parsed], write: Callable[[Parsed], str] = str, key: str = ""
) -> dict[str, Any]:
    """Give `value`, `key`, `on_change` and `args` of a widget that shows a value of the URL and writes it there.

    A widget whose choices depend on something else takes a `key` of its own for each. The value is given in both ways
    that Streamlit has: one that is only in the session's state reaches a browser only if it draws that very run, and
    would be overwritten by the widget's own default where the next run comes first.
    """
    key = f"{key or f'url-{name}'}-{zlib.crc32(repr(default).encode()):x}"
    now = value(name, default, read)
    if key not in st.session_state or st.session_state[key] != now:
        st.session_state[key] = now
    return {"value": now, "key": key, "on_change": _changed, "args": (name, key, default, write)}


def choice(name: str, default: Any, options: Sequence[Any], read: Read[Any] | None = None) -> dict[str, Any]:
    """Give what `bound` does to a select box of `options`, which takes an `index`."""
    shown = bound(name, default, read or one_of(options))
    return {"index": list(options).index(shown.pop("value"))} | shown


def segments(
    name: str, default: Parsed, read: Read[Parsed], write: Callable[[Parsed], str] = str, key: str = ""
) -> dict[str, Any]:
    """Give what `bound` does to segments, pills or a multiselect, which take a `default`."""
    shown = bound(name, default, read, write, key)
    return {"default": shown.pop("value")} | shown


def put(**texts: str | None) -> None:
    """Write values to the URL in one step of the browser's history; empty ones are left out of it."""
    kept = st.session_state.setdefault(_KEPT, {}) | {name: text or "" for name, text in texts.items()}
    st.session_state[_KEPT] = kept
    wanted = {name: text for name, text in kept.items() if text}
    others = {name: text for name, text in st.query_params.to_dict().items() if name not in kept}
    if st.query_params.to_dict() != others | wanted:
        st.query_params.from_dict(others | wanted)


def everywhere(name: str) -> str:
    """Read a value that every page has, '' where the URL has none."""
    return str(st.query_params.get(name, ""))[:_LONGEST]


def put_everywhere(name: str, text: str) -> None:
    """Write a value that every page has; '' takes it away."""
    if text and everywhere(name) != text:
        st.query_params[name] = text
    elif not text:
        st.query_params.pop(name, None)


def _changed(name: str, key: str, default: Any, write: Callable[[Any], str]) -> None:
    """Write what a person chose; the other values too, as the browser may not have heard of the last change yet."""
    chosen = st.session_state[key]
    put(**{name: "" if chosen is None or chosen == default else write(chosen)})


def text(value: str) -> str:
    """Take any text."""
    return value


def flag(value: str) -> bool | None:
    """Take 1 and 0."""
    return {"1": True, "0": False}.get(value)


def write_flag(value: bool) -> str:
    """Write 1 or 0."""
    return str(int(value))


def one_of(names: Collection[str]) -> Read[str]:
    """Take one of `names`."""
    return lambda value: value if value in names else None


def some_of(names: Collection[str], *, repeats: bool = False) -> Read[list[str]]:
    """Take those of `names` that `joined` wrote, in its order, each once or with `repeats`; None where there is none."""

    def read(value: str) -> list[str] | None:
        found = [name for part in value.split(",") if (name := unquote(part)) in names]
        return (found if repeats else list(dict.fromkeys(found))) if found or value == _NONE else None

    return read


def whole(low: int, high: int) -> Read[int]:
    """Take a whole number in digits, the nearest limit where it lies outside."""

    def read(value: str) -> int | None:
        digits = value.removeprefix("-")
        if not (digits.isascii() and digits.isdigit()):
            return None
        number = int(digits[:18])  # more digits than any limit has
        return min(max(-number if value.startswith("-") else number, low), high)

    return read


def real(low: float, high: float = math.inf) -> Read[float]:
    """Take a number, the nearest limit where it lies outside; not NaN."""

    def read(value: str) -> float | None:
        try:
            number = float(value)
        except ValueError:
            return None
        return None if math.isnan(number) or math.isinf(number) else min(max(number, low), high)

    return read


def joined(values: Sequence[str]) -> str:
    """Write several names with commas between them, as `some_of` reads them; a comma in a name is quoted."""
    return ",".join(quote(name, safe="") for name in values) if values else _NONE
