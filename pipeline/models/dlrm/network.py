"""A trained DLRM as plain weights, so that candidates are scored without TensorFlow."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.core.arrays import Floats, Ints
from pipeline.models import weights

_BLOCK = 65_536  # pairs held at once
Layer = tuple[Floats, Floats]  # kernel (inputs, units), bias (units,)


@dataclass(frozen=True)
class DlrmNetwork:
    """Dot products between embeddings and a bottom MLP, then a top MLP (Naumov et al., arXiv:1906.00091, 2019)."""

    tables: tuple[Floats, ...]  # of each categorical feature (codes, dim)
    bottom: tuple[Layer, ...]  # on the continuous features, to dim
    top: tuple[Layer, ...]  # on the bottom's output and the dot products
    output: Layer  # to one logit

    def logits(self, categorical: Ints, continuous: Floats) -> Floats:
        """Give (n,) logits of a click; categorical: (n, c) codes, continuous: (n, f)."""
        parts = [
            self._logits(categorical[i : i + _BLOCK], continuous[i : i + _BLOCK])
            for i in range(0, len(continuous), _BLOCK)
        ]
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)

    def _logits(self, categorical: Ints, continuous: Floats) -> Floats:
        dense = _relu(continuous, self.bottom)
        stacked = np.stack([dense, *(table[categorical[:, i]] for i, table in enumerate(self.tables))], axis=1)
        products = stacked @ stacked.transpose(0, 2, 1)
        row, column = np.triu_indices(stacked.shape[1], 1)
        hidden = _relu(np.hstack([dense, products[:, row, column]]), self.top)
        kernel, bias = self.output
        return np.asarray(hidden @ kernel + bias, np.float32)[:, 0]

    def save(self, path: Path) -> None:
        """Write all weights to one .npz file."""
        layers = {"bottom": self.bottom, "top": self.top, "output": (self.output,)}
        arrays = {f"{name}{i}{part}": a for name, many in layers.items() for i, one in enumerate(many)
                  for part, a in zip("kb", one, strict=True)}  # fmt: skip
        weights.save(path, arrays | {f"table{i}": table for i, table in enumerate(self.tables)})

    @staticmethod
    def load(path: Path) -> "DlrmNetwork":
        """Read all weights from an .npz file."""
        stored = weights.load(path)

        def layers(name: str) -> tuple[Layer, ...]:
            count = sum(key.startswith(name) and key.endswith("k") for key in stored)
            return tuple((stored[f"{name}{i}k"], stored[f"{name}{i}b"]) for i in range(count))

        tables = tuple(stored[f"table{i}"] for i in range(sum(key.startswith("table") for key in stored)))
        return DlrmNetwork(tables, layers("bottom"), layers("top"), layers("output")[0])


def _relu(values: Floats, layers: tuple[Layer, ...]) -> Floats:
    for kernel, bias in layers:
        values = np.maximum(values @ kernel + bias, 0)
    return values
