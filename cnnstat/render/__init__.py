"""One file per output format, all reading one table of columns."""
