"""Folders of preprocessed pictures and of scores, as accelerator benchmarks read them."""
