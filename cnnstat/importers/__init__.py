"""A spec file, an nn.Module, an ONNX file -> Graph."""
