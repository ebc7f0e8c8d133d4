"""Keras models: a ``.keras`` or ``.json`` or ``.h5`` file, or a ``keras.Model`` -> Graph.

Only the configuration is read, with the standard library; weights are not touched and nothing in
the file is run. Keras' tensors have the channels last. The graph has them first, as its operators
do, and each node says in which order its axes are shown.
"""
