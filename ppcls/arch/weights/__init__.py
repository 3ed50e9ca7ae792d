"""Sources of weights, and their conversion to the layout of this library.

sources: the table of published weights.  files: reading and writing; the formats are in `ppcls.untrusted`.
layouts and names: names of other libraries to ours.  load and fit: weights into a model.  convert: any file to ours.
"""
