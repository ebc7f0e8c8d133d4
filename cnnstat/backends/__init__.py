"""Outside worlds that run a graph."""
