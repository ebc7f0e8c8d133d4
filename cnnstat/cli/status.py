"""Exit statuses that are not those of an error."""

INTERRUPTED = 130
"""Of a process that was interrupted."""
