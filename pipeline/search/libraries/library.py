"""What is said of a library: its name, where it runs, what it needs and what is missing here."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

from pipeline.core.errors import UserError
from pipeline.search.engine import Engine
from pipeline.search.libraries.gpu import no_gpu

_INSTALL = "uv pip install --python .venv/bin/python"


@dataclass(frozen=True)
class Library:
    """A library underneath a vector database, behind the protocol that the database answers to."""

    name: str
    """As commands have it."""
    title: str
    """As people read it."""
    device: Literal["cpu", "gpu"]
    types: tuple[str, ...]
    """Of index, by their names in the catalogue."""
    needs: tuple[tuple[str, ...], ...]
    """Packages that it imports: the first of these sets that is there whole; on a GPU, its last one finds the GPU."""
    install: str
    """What `uv pip install` is given for them."""
    factory: Callable[[], Engine]
    """Makes an engine; it is called where nothing is missing."""

    def packages(self) -> tuple[str, ...] | None:
        """Give the packages that it works with here, None where it does not."""
        return next((names for names in self._installed() if self._without_gpu(names) is None), None)

    def missing(self) -> str | None:
        """Say in a sentence why it does not work here, or give None."""
        if not (installed := self._installed()):
            absent = (" and ".join(name for name in names if find_spec(name) is None) for names in self.needs)
            return f"{self.title} needs {' or '.join(absent)}, not installed here: run `{_INSTALL} {self.install}`."
        return None if self.packages() else self._without_gpu(installed[0])

    def engine(self) -> Engine:
        """Make an engine, or raise UserError."""
        if reason := self.missing():
            raise UserError(reason)
        return self.factory()

    def _installed(self) -> list[tuple[str, ...]]:
        return [names for names in self.needs if all(find_spec(name) for name in names)]

    def _without_gpu(self, names: tuple[str, ...]) -> str | None:
        return no_gpu(names[-1], self.title) if self.device == "gpu" else None
