"""A spec file, an ONNX file or a Keras file -> Graph."""
