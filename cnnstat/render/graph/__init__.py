"""A model's outline as a drawing: DOT and Mermaid text, and SVG, PNG and PDF through Graphviz."""
