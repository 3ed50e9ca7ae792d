"""The parts of `benchmarks/predict.py`."""
