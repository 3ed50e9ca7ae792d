"""Where weights come from and how foreign ones become ours.

sources: the table of published weights.  files: bytes to arrays, by content; each format has a module of its own.
layouts and names: their names to ours.  load and fit: weights into a model.  convert: a file of any source to ours.
"""
