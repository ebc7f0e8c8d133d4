"""Everything that is derived: counts, conventions, memory, receptive field, reports.

Pure functions and frozen records on the standard library alone.
"""
