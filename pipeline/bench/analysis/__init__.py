"""What a benchmark's points say: settings, fronts, advice, costs, comparisons."""
