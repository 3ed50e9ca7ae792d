"""Inference models as PaddleClas publishes them: a folder or a tar of a program and its parameters.

Such a model says nothing of its preprocessing (newer ones say most of it, in an `inference.yml` of their own), so that
is taken from there, from the table of models, or from the user (`find`); and it has no golden picture until it is
adopted (`adopt`).
"""
