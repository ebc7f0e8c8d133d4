"""Tensors, windows, work, operators' contract, graphs and shape inference; knows no operator.

Standard library alone: nothing here, nor in any package below ``importers``, may import a
framework.
"""
