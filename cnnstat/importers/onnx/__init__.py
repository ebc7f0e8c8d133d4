"""ONNX files, read without their weights; PyTorch writes them.

``wire`` knows the file's bytes, ``loading`` its frame, ``table`` what its operators mean. Importing
this package or ``importing`` imports no onnx.
"""
