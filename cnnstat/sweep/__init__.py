"""A space of models, a filter over their figures, and the engine that runs through it.

Standard library alone. The engine is anything with the interface of
``concurrent.futures.Executor``; only ``cluster.py`` knows Dask. The caller tells how a reference
becomes a model.
"""
