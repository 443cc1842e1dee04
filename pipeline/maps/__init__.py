"""Maps: item vectors in two dimensions."""
