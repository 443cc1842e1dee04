"""Keep TensorFlow out of Python processes that run no network: Merlin Systems imports it wherever it finds it.

It would take .6 GB and seconds in the process that runs the chain. Triton's Python backend imports its own helpers
before a model; binary.py puts these lines in front of them.
"""

import sys

sys.modules["tensorflow"] = None  # type: ignore[assignment]  # an import of it fails as if it were not installed
