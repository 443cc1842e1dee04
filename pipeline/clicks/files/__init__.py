"""Files of clicks: packed or plain, delimited text or Parquet, read as tables."""
