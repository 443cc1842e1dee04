"""The engine: from click logs to recommendations served by Milvus. `python -m pipeline --help` is its command line."""

import os

# Before anything imports TensorFlow: its start-up chatter hides what a person has to read.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
