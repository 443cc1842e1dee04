"""Sources of clicks: any of them becomes one canonical table of clicks and one of items."""

from pipeline.clicks.source import Clicks, ClickSource, read_log, read_source, source_digest

__all__ = ["ClickSource", "Clicks", "read_log", "read_source", "source_digest"]
