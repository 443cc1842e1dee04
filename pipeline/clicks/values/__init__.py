"""Values of clicks: ids and times, whatever they are written as."""
