"""What operators become in ONNX, one file a family: an emitter adds nodes, names the result."""
