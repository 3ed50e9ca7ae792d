"""Operators of oneDNN for training and evaluation on a CPU, with activations whose channels are last."""
