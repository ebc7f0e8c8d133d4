"""Arithmetic of figures that are no plain read, one file per family, imported when computed.

Every function takes the reports, then the record's ``args``.
"""
