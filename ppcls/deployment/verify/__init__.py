"""Check that a bundle gives the same scores in every form that it holds."""
