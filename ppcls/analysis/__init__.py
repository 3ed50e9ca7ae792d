"""Pages and pictures about data, runs and evaluations, for people who look rather than read."""
