"""Trains, evaluates and exports. Nothing here loads Paddle before a command has a valid configuration."""
