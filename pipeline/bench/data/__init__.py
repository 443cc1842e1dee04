"""What a benchmark indexes and asks, and the exact neighbours that recall is measured against."""
