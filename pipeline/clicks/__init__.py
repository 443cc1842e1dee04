"""Sources of clicks: any of them becomes one canonical table of clicks and one of items."""

from pipeline.clicks.source import Clicks, ClickSource, digest, read, read_log

__all__ = ["ClickSource", "Clicks", "digest", "read", "read_log"]
