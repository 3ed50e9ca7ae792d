"""Add an ONNX program to a bundle."""
