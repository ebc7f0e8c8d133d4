"""Published figures as data, compared with the figures that are computed from the graph."""
