"""What is done to a bundle after export: verify, quantize, convert to ONNX and for Paddle Lite, adopt."""
