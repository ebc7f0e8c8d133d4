"""The architectures: a file per family, each written once as a graph of operators, with a card."""
