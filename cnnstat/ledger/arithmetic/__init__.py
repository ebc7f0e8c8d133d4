"""Arithmetic of figures that are not read directly, one file per family, imported when computed.

Every function takes the reports, then the record's ``args``.
"""
