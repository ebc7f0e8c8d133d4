"""Tensors, windows, work, operators' contract, graphs and shape inference; knows no operator.

Standard library alone: nothing here, nor in ``ops``, ``zoo`` and ``engine``, may import a
framework.
"""
