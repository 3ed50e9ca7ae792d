"""The families, one a file: a table of specs and one builder."""
