"""The only place that runs PyTorch: build a module, count with its counters, time it."""
