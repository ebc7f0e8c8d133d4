"""Figures of a graph: report, conventions, receptive field, storage, comparison.

Pure functions and frozen records on the standard library alone.
"""
