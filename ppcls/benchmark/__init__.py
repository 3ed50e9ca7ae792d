"""Measure bundles: latency, accuracy, and which backend is the fastest."""
