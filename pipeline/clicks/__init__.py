"""Sources of clicks: any of them becomes one canonical table of clicks and one of items."""

from pipeline.clicks.source import Clicks, ClickSource, DataSet, digest, known, read, read_log

__all__ = ["ClickSource", "Clicks", "DataSet", "digest", "known", "read", "read_log"]
