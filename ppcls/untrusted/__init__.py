"""Readers of files that other people wrote: refusals, limits, and no code of theirs."""
