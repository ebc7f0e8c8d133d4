"""The architectures: one file per family, each written once as a graph of operators, with its card."""
