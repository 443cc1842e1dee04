"""Every library that an index can be built with beside the database; a new one is its file and its name here."""

from typing import Any

from pipeline.core.checks import one_of
from pipeline.search.libraries.cuvs import CUVS
from pipeline.search.libraries.faiss import FAISS
from pipeline.search.libraries.gpu_exact import GPU_EXACT
from pipeline.search.libraries.library import Library

LIBRARIES: dict[str, Library] = {library.name: library for library in (FAISS, CUVS, GPU_EXACT)}
"""By name, in the order in which they are listed; pages, commands and benchmarks know of no other."""


def find_library(name: str) -> Library:
    """Find a library by its name, or raise UserError."""
    return LIBRARIES[one_of(name, LIBRARIES, "library")]


def libraries_with(index: str) -> list[Library]:
    """List the libraries that have an index type and work here."""
    return [library for library in LIBRARIES.values() if index in library.types and library.missing() is None]


def describe_libraries() -> list[dict[str, Any]]:
    """Give each library's name, title, device, index types and the reason why it does not work here."""
    return [
        {
            "name": library.name,
            "title": library.title,
            "device": library.device,
            "types": library.types,
            "reason": library.missing(),
        }
        for library in LIBRARIES.values()
    ]
