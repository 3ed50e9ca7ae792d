"""A folder that Paddle Serving 0.9 serves a bundle from, on Python 3.8, where this library cannot run."""
