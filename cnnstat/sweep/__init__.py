"""A space of models, a filter over their figures, and the engine that runs through it.

Standard library alone. The engine is anything with the interface of
``concurrent.futures.Executor``; ``cluster.py`` alone knows Dask. The caller says how a reference
becomes a model.
"""
