"""Pages and comparisons of runs, from what a run's folder holds: no model is loaded and nothing is computed again."""
