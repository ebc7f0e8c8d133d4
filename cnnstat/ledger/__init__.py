"""Published figures, compared with the figures that are computed from the graph."""
