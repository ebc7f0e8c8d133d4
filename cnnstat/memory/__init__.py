"""Memory that eager PyTorch keeps alive: kernels, tape, plan, the batch that fits.

Pure functions and frozen records on the standard library alone.
"""
