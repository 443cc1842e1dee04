"""The engine: from click logs to recommendations served by Milvus. `python -m pipeline --help` is its command line."""

import os
import warnings

# Before anything imports them: the chatter of TensorFlow and Merlin hides what a person has to read.
warnings.filterwarnings("ignore", module=r"merlin\.|tensorflow|umap|numba|nvtabular")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
